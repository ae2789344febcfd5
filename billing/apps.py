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
        from billing.admin.action_items import count_open_transfers
        from billing.statements.partner_balance import check_partner_balance, newest_balance
        from portal.brands import launch_checklist
        from portal.monitoring import metrics

        words = "Moves of funds that wait for a person."
        metrics.gauge_from("portal_moves", words, ("brand", "state"), count_open_transfers)
        launch_checklist.add_check(check_partner_balance, partner_balance=newest_balance())
