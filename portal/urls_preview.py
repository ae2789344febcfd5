"""Addresses of previews, on the admin's hosts because a new brand has none of its own yet."""

from django.urls import path

from portal import views_preview

app_name = "preview"

urlpatterns = [
    path("<str:token>/", views_preview.start, name="start"),
    path("<str:token>/<slug:scheme>/<slug:mood>/", views_preview.page, name="page"),
    path("<str:token>/<slug:scheme>/<slug:mood>/<path:rest>", views_preview.page, name="page"),
]
