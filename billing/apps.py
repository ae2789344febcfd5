"""The billing app: the balance statement."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Balance and statement."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the start check, and what Prometheus asks for."""
        from billing import checks as checks
        from billing.needs import moves_as_metric
        from portal import metrics

        words = "Moves of funds that wait for a person."
        metrics.gauge_from("portal_moves", words, ("brand", "state"), moves_as_metric)
