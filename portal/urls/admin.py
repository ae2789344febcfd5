"""Addresses on the admin's hosts."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

import accounts.preview_samples
import billing.preview_samples
from portal.admin.site import site
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
    path("admin/billing/", include("billing.urls.staff")),
    path("admin/", site.urls),
    path("preview/", include("portal.preview.urls")),
]

handler400 = "portal.web.error_views.bad_request"
handler403 = "portal.web.error_views.permission_denied"
handler404 = "portal.web.error_views.not_found"
handler500 = "portal.middleware.database_outage.server_error"
