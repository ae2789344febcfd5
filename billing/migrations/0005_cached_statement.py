"""Rename the model of cached statements and three of its fields; the table and its columns stay as they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_limits_changes")]

    operations = [
        # With the table named first, the next operation renames the content type alone.
        migrations.AlterModelTable("keptstatement", "billing_keptstatement"),
        migrations.RenameModel("KeptStatement", "CachedStatement"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions("cachedstatement", {"verbose_name": "kept statement"}),
                migrations.RemoveIndex("cachedstatement", "kept_statement_by_age"),
                migrations.RenameField("cachedstatement", "running", "is_open"),
                migrations.AlterField(
                    "cachedstatement", "is_open", models.BooleanField(db_column="running", default=False)
                ),
                migrations.RenameField("cachedstatement", "trouble", "error"),
                migrations.AlterField(
                    "cachedstatement", "error", models.CharField(blank=True, db_column="trouble", max_length=10)
                ),
                migrations.RenameField("cachedstatement", "tried_at", "attempted_at"),
                migrations.AlterField(
                    "cachedstatement", "attempted_at", models.DateTimeField(db_column="tried_at", null=True)
                ),
                migrations.AddIndex(
                    "cachedstatement", models.Index(fields=["attempted_at"], name="kept_statement_by_age")
                ),
            ],
        ),
    ]
