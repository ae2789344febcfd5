"""URLs of a brand's host."""

from django.urls import include, path

from portal.brands import views

urlpatterns = [
    path("brand.css", views.stylesheet, name="brand_css"),
    path("brand/logo", views.logo, name="brand_logo"),
    path("language/<code>/", views.choose_language, name="language"),
    path("", include("accounts.urls.customer")),
    path("", include("billing.urls.customer")),
]

handler400 = "portal.web.error_views.bad_request"
handler403 = "portal.web.error_views.permission_denied"
handler404 = "portal.web.error_views.not_found"
handler500 = "portal.middleware.database_outage.server_error"
