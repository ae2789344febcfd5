"""Add what is known of partner balances, and what was told."""

import django.db.models.deletion
import django.utils.timezone
import portal.core.money
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_plainer_labels'),
        ('portal', '0012_emails'),
    ]

    operations = [
        migrations.CreateModel(
            name='PartnerAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('next_read_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('read_at', models.DateTimeField(null=True)),
                ('balance', portal.core.money.AmountField(blank=True, max_length=24, null=True)),
                ('days', models.IntegerField(null=True)),
                ('level', models.PositiveSmallIntegerField(choices=[(0, 'OK'), (1, 'LOW'), (2, 'STOPPED')], null=True)),
                ('told', models.PositiveSmallIntegerField(default=0)),
                ('low_at', models.DateTimeField(null=True)),
                ('stopped_at', models.DateTimeField(null=True)),
                ('carrier_told', models.CharField(blank=True, default='', max_length=8)),
                ('brand', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='partner_alert', to='portal.brand')),
            ],
        ),
    ]
