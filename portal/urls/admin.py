"""URLs of the admin's hosts."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

import accounts.preview_samples
import billing.preview_samples
from billing.admin.customer import customer, customer_file
from billing.admin.partner import partner
from portal.admin.site import admin_page, site
from portal.brands import views
from portal.preview import sample_pages

sample_pages.register(
    make_user=accounts.preview_samples.person,
    pages=(billing.preview_samples.WELCOME, *accounts.preview_samples.PAGES, *billing.preview_samples.PAGES),
)

urlpatterns = [
    path("", login_not_required(RedirectView.as_view(url="/admin/"))),
    path("language/<code>/", views.choose_language, name="language"),
    path("admin/", include("accounts.urls.staff")),
    # Pages that lower apps link to are named here, without the namespace of a higher app.
    path("admin/billing/customer/<int:pk>/", admin_page(customer), name="customer_page"),
    *(
        path(
            f"admin/billing/customer/<int:pk>/statement.{ending}",
            admin_page(customer_file),
            {"ending": ending},
            name=f"customer_{ending}",
        )
        for ending in ("pdf", "csv")
    ),
    path("admin/billing/partner/<int:pk>/", admin_page(partner), name="partner_page"),
    path("admin/billing/", include("billing.urls.staff")),
    path("admin/", site.urls),
    path("preview/", include("portal.preview.urls")),
]

handler400 = "portal.web.error_views.bad_request"
handler403 = "portal.web.error_views.permission_denied"
handler404 = "portal.web.error_views.not_found"
handler500 = "portal.middleware.database_outage.server_error"
