"""Migrations of a version only add and are reversible, so the previous version keeps working.

See docs/upgrade.md. Migrations of the first version are exempt, since nothing served before them.
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
# Those of the first version. Later ones are never added to this list.
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
# What the test reports of an operation → why it is harmless. For a removal one version after the last use:
# "2.0 was the last version that read it; the changelog of 3.0 says to upgrade over 2.0".
REASONS: dict[str, str] = {
    "accounts.0006_password_set_by_another: Alter field kind on staffevent: the version before may read or "
    "write it": "one more choice; the column stays as it is",
    "billing.0003_guarded_moves: Raw Python operation: the version before may read or write it": "the "
    "version before writes these columns once, with the row, and deletes none",
    **{
        f"{operation}: the version before may read or write it": "a label alone; the column stays as it is"
        for operation in (
            "accounts.0008_email_spelling: Alter field carrier_email on user",
            "accounts.0008_email_spelling: Alter field email on user",
            "portal.0008_email_spelling: Alter field support_email on brand",
            "portal.0008_email_spelling: Alter field meaning on responsecode",
            "accounts.0009_plainer_labels: Alter field carrier_email on user",
            "accounts.0009_plainer_labels: Alter field refused_account_number on user",
            "billing.0006_plainer_labels: Alter field state on move",
            "billing.0006_plainer_labels: Alter field state on moveevent",
            "billing.0006_plainer_labels: Alter field per_day on movepolicy",
            "billing.0006_plainer_labels: Alter field per_move on movepolicy",
            "billing.0006_plainer_labels: Alter field second_person_above on movepolicy",
            "billing.0006_plainer_labels: Alter field stopped_at on movepolicy",
            "portal.0009_plainer_labels: Alter field from_email on brand",
            "portal.0009_plainer_labels: Alter field mail_tested_at on brand",
        )
    },
    **{
        f"billing.0005_cached_statement: {operation}: the version before may read or write it": "only the "
        "names in Django's state and its content type change, no table and no column"
        for operation in (
            "Rename table for keptstatement to billing_keptstatement",
            "Rename model KeptStatement to CachedStatement",
            "Custom state/database change combination",
        )
    },
}
# These change nothing the previous version reads or writes.
HARMLESS = (
    operations.CreateModel,
    operations.AddIndex,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.RemoveConstraint,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
)


def our_migrations() -> dict[tuple[str, str], Migration]:
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return {key: migration for key, migration in disk.items() if key[0] in APPS}


def faults(app: str, migration: Migration) -> Iterator[str]:
    """Yield what the previous version could not cope with, or what could not be reversed."""
    created_models = {
        each.name_lower for each in migration.operations if isinstance(each, operations.CreateModel)
    }
    if not migration.atomic:
        yield f"{app}.{migration.name}: is not atomic, so a failure leaves half of it"
    for operation in migration.operations:
        description = f"{app}.{migration.name}: {operation.describe()}"
        if not operation.reversible:
            yield f"{description}: cannot be taken back"
        if getattr(operation, "model_name_lower", None) not in created_models and not is_additive(operation):
            yield f"{description}: the version before may read or write it"


def is_additive(operation: operations.base.Operation) -> bool:
    """Return True if the previous version is not affected."""
    if isinstance(operation, operations.AddField):
        return is_optional(operation.field)
    # Everything else needs a reason: changed columns, new constraints on what the previous version writes,
    # removals and renames, and Python or SQL, which only a reader can judge.
    return isinstance(operation, HARMLESS)


def is_optional(field: models.Field) -> bool:
    """Return True if a row can be written without knowing this column."""
    return field.many_to_many or field.null or (field.db_default is not NOT_PROVIDED and not field.unique)


def test_migrations_of_the_first_version_are_unchanged():
    existing = set(our_migrations())
    assert {(app, name) for app, names in FIRST.items() for name in names} <= existing


def test_later_migrations_only_add_and_are_reversible():
    found = [
        fault
        for (app, name), migration in our_migrations().items()
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
def test_breaking_operations_are_found(operation, fault):
    migration = Migration("0009_new", "portal")
    migration.operations = [operation]
    description = " ".join(faults("portal", migration))
    assert fault in description if fault else description == ""


def test_fields_of_a_new_table_are_unrestricted():
    migration = Migration("0009_new", "portal")
    migration.operations = [
        operations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))]),
        operations.AddField("fresh", "name", models.TextField(default="")),
    ]
    assert list(faults("portal", migration)) == []


def test_all_migrations_can_be_reversed_and_applied_again(transactional_db, tmp_path):
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


def test_readyz_succeeds_after_migrations_of_the_next_version(db, browse):
    MigrationRecorder(connection).record_applied("portal", "9999_of_the_next_version")
    assert browse(ADMIN).get("/readyz").content.startswith(b"ready")
