"""When a brand's connection last worked, and with which address and key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two columns that are empty until the connection is checked."""

    dependencies = [("portal", "0002_languages")]

    operations = [
        migrations.AddField("brand", "carrier_proven_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "brand",
            "carrier_proven_for",
            models.CharField(blank=True, default="", editable=False, max_length=64),
        ),
    ]
