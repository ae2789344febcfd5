"""A start check: moves of funds and their audit trail are guarded by the database itself."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connection

from billing.triggers import GUARDS, Guard


@checks.register(checks.Tags.database)
def the_audit_trail_is_guarded(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Its triggers are there and switched on.

    A table that was rebuilt by hand, or restored in part, has lost them; and its owner may switch them off.
    """
    if not databases:
        return []
    try:
        with connection.cursor() as cursor:
            there = connection.introspection.table_names(cursor)
        missing = [guard for guard in GUARDS if guard.table in there and not guard.is_on(connection)]
    except DatabaseError:
        return []  # The check of the database itself says so.
    return [_message(guard) for guard in missing]


def _message(guard: Guard) -> checks.CheckMessage:
    hint = "Run manage.py guard_moves: it puts all of them on again, and changes no row."
    words = (
        f"The table {guard.table} lacks triggers that keep it from being changed, or they are switched off."
    )
    return checks.Error(words, hint=hint, id="billing.E001")
