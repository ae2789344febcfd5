"""What a version promises about its migrations: they only add and can be taken back; the old version goes on.

See docs/upgrade.md. A migration of the first version may do what it likes, since nothing served before it.
"""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import NOT_PROVIDED

from tests.conftest import ADMIN
from tests.support.threaded_db import database_for_threads

pytestmark = pytest.mark.database

APPS = ("portal", "accounts", "billing")
# Those of the first version. Later ones never enter this list.
FIRST = {
    "portal": [
        "0001_initial",
        "0002_languages",
        "0003_brand_carrier_proven",
        "0004_previews_and_test_mails",
        "0005_carrier_calls",
    ],
    "accounts": [
        "0001_initial",
        "0002_sign_ins_and_new_addresses",
        "0003_user_language",
        "0004_staff_devices_and_account_types",
    ],
    "billing": ["0001_initial", "0002_append_only_audit"],
}
# What the test says of an operation → why it harms nobody. For what is removed a version after its last use:
# "2.0 was the last version that read it; the changelog of 3.0 says to upgrade over 2.0".
REASONS: dict[str, str] = {
    "accounts.0006_password_set_by_another: Alter field kind on staffevent: the version before may read or "
    "write it": "one more choice; the column stays as it is",
    "billing.0003_guarded_moves: Raw Python operation: the version before may read or write it": "the "
    "version before writes these columns once, with the row, and deletes none",
    "billing.0005_cached_statement: Custom state/database change combination: the version before may read or "
    "write it": "it renames a model and its fields in Django's state alone; no table or column changes",
}
# Change nothing that the version before reads or writes.
HARMLESS = (
    operations.CreateModel,
    operations.AddIndex,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.RemoveConstraint,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
)


def all_of_ours() -> dict[tuple[str, str], Migration]:
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return {key: migration for key, migration in disk.items() if key[0] in APPS}


def faults(app: str, migration: Migration) -> Iterator[str]:
    """What the version before could not go on with, or what could not be taken back."""
    made = {each.name_lower for each in migration.operations if isinstance(each, operations.CreateModel)}
    if not migration.atomic:
        yield f"{app}.{migration.name}: is not atomic, so a failure leaves half of it"
    for operation in migration.operations:
        told = f"{app}.{migration.name}: {operation.describe()}"
        if not operation.reversible:
            yield f"{told}: cannot be taken back"
        if getattr(operation, "model_name_lower", None) not in made and not additive(operation):
            yield f"{told}: the version before may read or write it"


def additive(operation: operations.base.Operation) -> bool:
    """Whether the version before goes on as if nothing had happened."""
    if isinstance(operation, operations.AddField):
        return may_be_left_out(operation.field)
    # Everything else wants a reason: a changed column, a new constraint on what the version before writes,
    # what removes or renames, and Python or SQL, which nobody but a reader can judge.
    return isinstance(operation, HARMLESS)


def may_be_left_out(field: models.Field) -> bool:
    """Whether a row can be written by who does not know this column."""
    return field.many_to_many or field.null or (field.db_default is not NOT_PROVIDED and not field.unique)


def test_the_first_versions_migrations_are_what_they_were():
    there = set(all_of_ours())
    assert {(app, name) for app, names in FIRST.items() for name in names} <= there


def test_a_later_migration_only_adds_and_can_be_taken_back():
    found = [
        fault
        for (app, name), migration in all_of_ours().items()
        if name not in FIRST.get(app, [])
        for fault in faults(app, migration)
        if fault not in REASONS
    ]
    assert found == [], "change the migration, or name it with a reason in REASONS"


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (operations.AddField("brand", "new", models.TextField(null=True)), ""),
        (operations.AddField("brand", "new", models.TextField(db_default="")), ""),
        (operations.AddField("brand", "new", models.TextField(default="")), "version before"),
        (operations.AddField("brand", "new", models.TextField(db_default="", unique=True)), "version before"),
        (operations.AddIndex("brand", models.Index(fields=["name"], name="by_name")), ""),
        (operations.RemoveField("brand", "name"), "version before"),
        (operations.RenameField("brand", "name", "title"), "version before"),
        (operations.RenameModel("Brand", "Label"), "version before"),
        (operations.DeleteModel("Brand"), "version before"),
        (operations.AlterField("brand", "name", models.TextField()), "version before"),
        (operations.RunSQL("SELECT 1", "SELECT 1"), "version before"),
        (operations.RunPython(lambda apps, editor: None), "taken back"),
    ],
    ids=lambda value: value.describe() if isinstance(value, operations.base.Operation) else "",
)
def test_what_breaks_the_promise_is_found(operation, fault):
    migration = Migration("0009_new", "portal")
    migration.operations = [operation]
    told = " ".join(faults("portal", migration))
    assert fault in told if fault else told == ""


def test_a_new_table_is_its_migrations_own_affair():
    migration = Migration("0009_new", "portal")
    migration.operations = [
        operations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))]),
        operations.AddField("fresh", "name", models.TextField(default="")),
    ]
    assert list(faults("portal", migration)) == []


def test_all_migrations_go_down_to_nothing_and_up_again(transactional_db, tmp_path):
    def tables() -> set[str]:
        with connection.cursor() as cursor:
            return {each for each in connection.introspection.table_names(cursor) if each.startswith(APPS)}

    with database_for_threads(tmp_path):
        before = tables()
        try:
            for app in reversed(APPS):
                call_command("migrate", app, "zero", verbosity=0)
            assert tables() == set()
        finally:
            call_command("migrate", verbosity=0)
        assert tables() == before


def test_the_version_before_is_ready_after_the_next_ones_migrations(db, browse):
    MigrationRecorder(connection).record_applied("portal", "9999_of_the_next_version")
    assert browse(ADMIN).get("/readyz").content == b"ready\n"
