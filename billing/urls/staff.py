"""URLs of the billing pages in the admin, below /admin/billing/."""

from django.urls import URLPattern, path

from billing.admin import partner
from billing.transfers.views import detail, policy, start
from portal.admin.site import admin_page

app_name = "billing_admin"

urlpatterns: list[URLPattern] = [
    path("partner/", admin_page(partner.partners), name="partners"),
    path("move/start/<int:pk>/", admin_page(start.start_transfer), name="transfer_start"),
    path("move/confirm/<int:pk>/", admin_page(start.confirm_transfer), name="transfer_confirm"),
    path("move/<int:pk>/", admin_page(detail.transfer), name="transfer"),
    path("move/<int:pk>/approve/", admin_page(detail.approve), name="transfer_approve"),
    path("move/<int:pk>/decline/", admin_page(detail.decline), name="transfer_decline"),
    path("move/<int:pk>/resolve/", admin_page(detail.resolve), name="transfer_resolve"),
    path("policy/", admin_page(policy.policies), name="policies"),
    path("policy/<int:pk>/", admin_page(policy.policy), name="policy"),
]
