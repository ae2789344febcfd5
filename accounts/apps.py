"""The accounts app: customers, staff and how they sign in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Configuration of the accounts app."""

    name = "accounts"
    verbose_name = _("Customers and staff")

    def ready(self) -> None:
        """Register the system check."""
        from accounts import checks as checks
