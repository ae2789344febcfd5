"""What the database itself refuses: to change the audit trail or what a move is about, and to delete either.

For SQLite and PostgreSQL. Used by migrations and by `manage.py guard_moves`; tests, which empty all tables,
take the triggers off for that. A migration that makes one of the tables anew has to put them on again.
"""

from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class Guard:
    """The triggers of one table: the statements that put them on, and those that take them off."""

    table: str
    create: dict[str, list[str]]
    drop: dict[str, list[str]]

    def is_on(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether all of them are there and switched on. Raises DatabaseError."""
        vendor = connection.vendor
        wanted = sum(statement.startswith("CREATE TRIGGER") for statement in self.create[vendor])
        with connection.cursor() as cursor:
            cursor.execute(_FIRING[vendor], [self.table])
            return bool(cursor.fetchone()[0] >= wanted)


# A query that counts the triggers of a table that fire.
_FIRING = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal "
    "AND tgenabled IN ('O', 'A')",
}


def _drop(table: str) -> dict[str, list[str]]:
    return {
        "sqlite": [f"DROP TRIGGER IF EXISTS {table}_no_{verb}" for verb in ("update", "delete", "replace")],
        "postgresql": [f"DROP FUNCTION IF EXISTS {table}_refuse() CASCADE"],
    }


def _refusing(table: str, words: str) -> str:
    return (
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
    )


def _audit(table: str) -> Guard:
    """No row of it is ever changed or deleted."""
    words = "the audit trail of moves is append-only"
    refuse, run = f"BEGIN SELECT RAISE(ABORT, '{words}'); END", f"EXECUTE FUNCTION {table}_refuse()"
    same = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608  # nosec B608
    create = {
        "sqlite": [
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
            # INSERT OR REPLACE deletes the former row without asking the trigger above.
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {same} {refuse}",
        ],
        "postgresql": [
            _refusing(table, words),
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ],
    }
    return Guard(table, create, _drop(table))


def _moves(table: str) -> Guard:
    """No row of it is ever deleted; and what was asked for, by whom and for whom, never changes."""
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
            _refusing(table, words),
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({distinct}) {run}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ],
    }
    return Guard(table, create, _drop(table))


AUDIT, MOVES = _audit("billing_moveevent"), _moves("billing_move")
GUARDS = (AUDIT, MOVES)
