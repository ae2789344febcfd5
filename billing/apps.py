"""The billing app: the balance statement."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Balance and statement."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the start check, what Prometheus asks for, and what a brand's readiness asks for."""
        from billing import checks as checks
        from billing.admin.action_items import moves_as_metric
        from billing.statements.partner_balance import newest_balance, partner_readiness
        from portal.brands import launch_checklist
        from portal.monitoring import metrics

        words = "Moves of funds that wait for a person."
        metrics.gauge_from("portal_moves", words, ("brand", "state"), moves_as_metric)
        launch_checklist.add_check(partner_readiness, partner_balance=newest_balance())
