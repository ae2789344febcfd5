"""Addresses of previews, on the admin's hosts because a new brand has none of its own yet."""

from django.urls import path

from portal.preview import views

app_name = "preview"

urlpatterns = [
    path("<str:token>/", views.start, name="start"),
    path("<str:token>/<slug:scheme>/<slug:mood>/", views.page, name="page"),
    path("<str:token>/<slug:scheme>/<slug:mood>/<path:rest>", views.page, name="page"),
]
