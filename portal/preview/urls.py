"""URLs of previews. They are on the admin's hosts, because a new brand has no host yet."""

from django.urls import path

from portal.preview import views

app_name = "preview"

urlpatterns = [
    path("<str:token>/", views.start, name="start"),
    path("<str:token>/<slug:scheme>/<slug:scenario>/", views.page, name="page"),
    path("<str:token>/<slug:scheme>/<slug:scenario>/<path:rest>", views.page, name="page"),
]
