"""System check: database triggers protect transfers and their audit trail."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connection

from billing.triggers import GUARDS, Guard


@checks.register(checks.Tags.database)
def the_audit_trail_is_guarded(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Return an error for each table whose triggers are missing or disabled.

    Triggers are lost when a table is rebuilt by hand or restored in part, and its owner can disable them.
    """
    if not databases:
        return []
    try:
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor)
        missing = [guard for guard in GUARDS if guard.table in tables and not guard.is_on(connection)]
    except DatabaseError:
        return []  # Django's database check reports it.
    return [_message(guard) for guard in missing]


def _message(guard: Guard) -> checks.CheckMessage:
    hint = "Run manage.py guard_moves: it puts all of them on again, and changes no row."
    message = (
        f"The table {guard.table} lacks triggers that keep it from being changed, or they are switched off."
    )
    return checks.Error(message, hint=hint, id="billing.E001")
