"""The audit trail of moves is append-only: the database itself refuses to change or delete a row of it.

For SQLite and PostgreSQL. Used by a migration; tests, which empty all tables, take the triggers off for that.
"""

TABLE = "billing_moveevent"
WORDS = "the audit trail of moves is append-only"

CREATE = {
    "sqlite": [
        f"CREATE TRIGGER {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    # INSERT OR REPLACE deletes the former row without asking the trigger above.
    + [
        f"CREATE TRIGGER {TABLE}_no_replace BEFORE INSERT ON {TABLE} "  # noqa: S608  # nosec B608
        f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
    ],
    "postgresql": [
        f"CREATE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$",
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
        f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()",
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()",
    ],
}
DROP = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{verb}" for verb in ("update", "delete", "replace")],
    "postgresql": [f"DROP FUNCTION IF EXISTS {TABLE}_refuse() CASCADE"],
}
# A query that counts the triggers, what it looks for, and how many there must be.
FOUND = {
    "sqlite": ("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", TABLE, 3),
    "postgresql": ("SELECT count(*) FROM pg_trigger WHERE tgname LIKE %s", f"{TABLE}_no_%", 2),
}
