"""The tables of billing."""

from billing.models.moves import Move, MoveEvent
from billing.models.policy import LimitsChange, MovePolicy
from billing.models.statement import KeptStatement

__all__ = ["KeptStatement", "LimitsChange", "Move", "MoveEvent", "MovePolicy"]
