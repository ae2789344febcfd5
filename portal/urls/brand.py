"""URLs of a brand's host."""

from django.urls import include, path

from billing.views.balance import home
from portal.brands import views

# Pages that lower apps link to are named here, without the namespace of a higher app.
urlpatterns = [
    path("", home, name="home"),
    path("brand.css", views.stylesheet, name="brand_css"),
    path("brand/logo", views.logo, name="brand_logo"),
    path("brand/icon.svg", views.icon, name="brand_icon"),
    path("brand/touch-icon.png", views.touch_icon, name="brand_touch_icon"),
    path("language/<code>/", views.choose_language, name="language"),
    path("", include("accounts.urls.customer")),
    path("", include("billing.urls.customer")),
]

handler400 = "portal.web.error_views.bad_request"
handler403 = "portal.web.error_views.permission_denied"
handler404 = "portal.web.error_views.not_found"
handler500 = "portal.middleware.database_outage.server_error"
