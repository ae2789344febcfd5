"""Triggers that refuse to delete a move, and to change what was asked for, by whom and for whom."""

from django.db import migrations

from billing.triggers import MOVES


def _run(statements):
    def run(apps, schema_editor):
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):

    dependencies = [("billing", "0002_append_only_audit")]

    operations = [migrations.RunPython(_run(MOVES.create), _run(MOVES.drop))]
