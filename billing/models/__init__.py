"""The tables of billing."""

from billing.models.policy import LimitsChange, MovePolicy
from billing.models.statement import KeptStatement
from billing.models.transfer import Move, MoveEvent

__all__ = ["KeptStatement", "LimitsChange", "Move", "MoveEvent", "MovePolicy"]
