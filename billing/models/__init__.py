"""The tables of billing."""

from billing.models.partner_alert import PartnerAlert
from billing.models.policy import LimitsChange, MovePolicy
from billing.models.statement import CachedStatement
from billing.models.transfer import Move, MoveEvent

__all__ = ["CachedStatement", "LimitsChange", "Move", "MoveEvent", "MovePolicy", "PartnerAlert"]
