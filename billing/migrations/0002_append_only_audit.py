"""Triggers that refuse to change or delete a row of the audit trail."""

from django.db import migrations

from billing.triggers import AUDIT


def _run(statements):
    def run(apps, schema_editor):
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):

    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunPython(_run(AUDIT.create), _run(AUDIT.drop))]
