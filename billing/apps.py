"""The billing app: the balance statement."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Balance and statement."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the start check."""
        from billing import checks as checks
