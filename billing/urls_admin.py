"""Addresses of the billing pages on the admin's hosts, below /admin/billing/."""

from django.urls import URLPattern, path

from billing import admin_partner
from portal.admin_site import admin_page

app_name = "billing_admin"

urlpatterns: list[URLPattern] = [
    path("partner/", admin_page(admin_partner.partners), name="partners"),
    path("partner/<int:pk>/", admin_page(admin_partner.partner), name="partner"),
]
