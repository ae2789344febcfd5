"""Addresses on the admin's hosts."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

import accounts.preview_samples
import billing.preview_samples
from portal import samples, views
from portal.admin_site import site

samples.register(
    people=accounts.preview_samples.person,
    pages=(billing.preview_samples.WELCOME, *accounts.preview_samples.PAGES, *billing.preview_samples.PAGES),
)

urlpatterns = [
    path("", login_not_required(RedirectView.as_view(url="/admin/"))),
    path("language/<code>/", views.language_choose, name="language"),
    path("admin/", include("accounts.urls.staff")),
    path("admin/billing/", include("billing.urls.staff")),
    path("admin/", site.urls),
    path("preview/", include("portal.urls_preview")),
]

handler400 = "portal.views.bad_request"
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.not_found"
handler500 = "portal.outage.server_error"
