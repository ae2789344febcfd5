"""The billing app: balances, statements and transfers."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Configuration of the billing app."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the system check, the metrics and an item of the brands' launch checklist."""
        from billing import checks as checks
        from billing.admin.action_items import count_open_transfers
        from billing.alerts import partner
        from billing.statements.partner_balance import check_partner_balance, latest_balance
        from portal.brands import launch_checklist
        from portal.monitoring import metrics

        words = "Moves of funds that wait for a person."
        metrics.gauge_from("portal_moves", words, ("brand", "state"), count_open_transfers)
        words = "A brand's partner balance as last read, in its currency."
        metrics.gauge_from("portal_partner_balance", words, ("brand",), partner.get_balances)
        words = "0 while a brand's partner balance is fine, 1 if it is low, 2 at zero or below."
        metrics.gauge_from("portal_partner_level", words, ("brand",), partner.get_levels)
        launch_checklist.add_check(check_partner_balance, partner_balance=latest_balance())
