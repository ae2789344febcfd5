"""The accounts app: who may come in, and how."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Customers of the brands, and the people in the admin."""

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Register the start check."""
        from accounts import checks as checks
