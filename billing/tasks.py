"""Periodic jobs of the billing app."""

from billing.alerts.carrier import watch_carriers
from billing.alerts.partner import watch_partner_balances
from billing.statements.cache import prune_statements
from billing.transfers.alerts import alert_unknown_transfers, expire_transfers
from portal.jobs import periodic

periodic.register(watch_partner_balances)
periodic.register(watch_carriers)
periodic.register(alert_unknown_transfers)
periodic.register(expire_transfers)
periodic.register(prune_statements)
