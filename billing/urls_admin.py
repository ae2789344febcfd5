"""Addresses of the billing pages on the admin's hosts, below /admin/billing/."""

from django.urls import URLPattern, path

from billing import admin_customer, admin_partner, move_state_views, move_views, policy_views
from portal.admin_site import admin_page

app_name = "billing_admin"

urlpatterns: list[URLPattern] = [
    path("customer/<int:pk>/", admin_page(admin_customer.customer), name="customer"),
    path("partner/", admin_page(admin_partner.partners), name="partners"),
    path("partner/<int:pk>/", admin_page(admin_partner.partner), name="partner"),
    path("move/start/<int:pk>/", admin_page(move_views.move_start), name="move_start"),
    path("move/confirm/<int:pk>/", admin_page(move_views.move_confirm), name="move_confirm"),
    path("move/<int:pk>/", admin_page(move_state_views.move), name="move"),
    path("move/<int:pk>/approve/", admin_page(move_state_views.approve), name="move_approve"),
    path("move/<int:pk>/decline/", admin_page(move_state_views.decline), name="move_decline"),
    path("move/<int:pk>/resolve/", admin_page(move_state_views.resolve), name="move_resolve"),
    path("policy/", admin_page(policy_views.policies), name="policies"),
    path("policy/<int:pk>/", admin_page(policy_views.policy), name="policy"),
]
