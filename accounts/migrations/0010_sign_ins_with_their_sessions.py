"""Record when each sign-in's session ends, and which session and browser it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_plainer_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='signin',
            name='device_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=32),
        ),
        migrations.AddField(
            model_name='signin',
            name='expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='signin',
            name='session_key',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='signin',
            name='revoked',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
