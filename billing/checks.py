"""A start check: the audit trail of moves is guarded by the database itself."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connection

from billing.triggers import FOUND, TABLE


@checks.register(checks.Tags.database)
def the_audit_trail_is_guarded(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Its triggers are there. A table that was rebuilt by hand, or restored in part, has lost them."""
    if not databases:
        return []
    query, pattern, expected = FOUND[connection.vendor]
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, [pattern])
            found = cursor.fetchone()[0]
            there = TABLE in connection.introspection.table_names(cursor)
    except DatabaseError:
        return []  # The check of the database itself says so.
    if found >= expected or not there:
        return []
    hint = "Run manage.py migrate billing 0001, then manage.py migrate: the second adds them, and rows stay."
    words = "The audit trail of moves of funds lacks the triggers that keep it from being changed."
    return [checks.Error(words, hint=hint, id="billing.E001")]
