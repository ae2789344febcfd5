"""Addresses on the admin's hosts."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.generic import RedirectView

from portal import views
from portal.admin_site import site

urlpatterns = [
    path("", login_not_required(RedirectView.as_view(url="/admin/"))),
    path("language/<code>/", views.language_choose, name="language"),
    path("admin/", site.urls),
]

handler400 = "portal.views.bad_request"
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"
