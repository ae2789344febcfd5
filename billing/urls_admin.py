"""Addresses of the billing pages on the admin's hosts, below /admin/billing/."""

from django.urls import URLPattern

app_name = "billing_admin"

urlpatterns: list[URLPattern] = []
