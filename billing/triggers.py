"""Database triggers that forbid changes to the audit trail and to the terms of a transfer, and any deletion.

For SQLite and PostgreSQL. Used by migrations and by `manage.py guard_moves`. Tests drop the triggers to empty
the tables. A migration that recreates one of the tables must create its triggers again.
"""

from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class Guard:
    """The triggers of one table: the statements that create and drop them, by database vendor."""

    table: str
    create: dict[str, list[str]]
    drop: dict[str, list[str]]

    def is_on(self, connection: BaseDatabaseWrapper) -> bool:
        """Return True if all triggers exist and are enabled. Raises DatabaseError."""
        vendor = connection.vendor
        expected = sum(statement.startswith("CREATE TRIGGER") for statement in self.create[vendor])
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_ENABLED[vendor], [self.table])
            return bool(cursor.fetchone()[0] >= expected)


# Query that counts the enabled triggers of a table, by vendor.
_COUNT_ENABLED = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal "
    "AND tgenabled IN ('O', 'A')",
}


def _drop(table: str) -> dict[str, list[str]]:
    return {
        "sqlite": [f"DROP TRIGGER IF EXISTS {table}_no_{verb}" for verb in ("update", "delete", "replace")],
        "postgresql": [f"DROP FUNCTION IF EXISTS {table}_refuse() CASCADE"],
    }


def _refuse_function(table: str, words: str) -> str:
    return (
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
    )


def _audit_guard(table: str) -> Guard:
    """Return the guard of an append-only table: no row is ever changed or deleted."""
    words = "the audit trail of moves is append-only"
    refuse, run = f"BEGIN SELECT RAISE(ABORT, '{words}'); END", f"EXECUTE FUNCTION {table}_refuse()"
    same = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608  # nosec B608
    create = {
        "sqlite": [
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
            # INSERT OR REPLACE deletes the former row without firing the trigger above.
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {same} {refuse}",
        ],
        "postgresql": [
            _refuse_function(table, words),
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ],
    }
    return Guard(table, create, _drop(table))


def _transfer_guard(table: str) -> Guard:
    """Return the guard of transfers: no row is deleted, and the columns of the request never change."""
    words = "what a move is about never changes"
    fixed = ("amount", "account_number", "brand_id", "customer_id", "operation", "asked_by_id")
    refuse, run = f"BEGIN SELECT RAISE(ABORT, '{words}'); END", f"EXECUTE FUNCTION {table}_refuse()"
    same = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR operation = NEW.operation)"  # noqa: S608  # nosec B608
    other = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in fixed)
    distinct = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in fixed)
    create = {
        "sqlite": [
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {other} {refuse}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {same} {refuse}",
        ],
        "postgresql": [
            _refuse_function(table, words),
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({distinct}) {run}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ],
    }
    return Guard(table, create, _drop(table))


AUDIT, MOVES = _audit_guard("billing_moveevent"), _transfer_guard("billing_move")
GUARDS = (AUDIT, MOVES)
