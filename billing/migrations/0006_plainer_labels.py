"""Say labels in plainer words; no column changes."""

from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0005_cached_statement'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='move',
            options={'ordering': ('-asked_at', '-pk'), 'verbose_name': 'transfer', 'verbose_name_plural': 'transfers'},
        ),
        migrations.AlterModelOptions(
            name='moveevent',
            options={'ordering': ('at', 'pk'), 'verbose_name': 'event of a transfer', 'verbose_name_plural': 'events of transfers'},
        ),
        migrations.AlterModelOptions(
            name='movepolicy',
            options={'verbose_name': 'transfer rules', 'verbose_name_plural': 'transfer rules'},
        ),
        migrations.AlterField(
            model_name='move',
            name='state',
            field=models.CharField(choices=[('waiting', 'awaiting approval'), ('declined', 'declined'), ('expired', 'expired (not approved in time)'), ('dispatched', 'being sent'), ('done', 'done'), ('refused', 'refused by the carrier'), ('not_sent', 'not sent'), ('unknown', 'unknown'), ('found_done', 'confirmed by staff: paid'), ('found_not_done', 'confirmed by staff: not paid')], max_length=14, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='moveevent',
            name='state',
            field=models.CharField(choices=[('waiting', 'awaiting approval'), ('declined', 'declined'), ('expired', 'expired (not approved in time)'), ('dispatched', 'being sent'), ('done', 'done'), ('refused', 'refused by the carrier'), ('not_sent', 'not sent'), ('unknown', 'unknown'), ('found_done', 'confirmed by staff: paid'), ('found_not_done', 'confirmed by staff: not paid')], max_length=14),
        ),
        migrations.AlterField(
            model_name='movepolicy',
            name='per_day',
            field=models.DecimalField(decimal_places=2, default=Decimal('2000'), max_digits=12, verbose_name='daily limit (last 24 hours)'),
        ),
        migrations.AlterField(
            model_name='movepolicy',
            name='per_move',
            field=models.DecimalField(decimal_places=2, default=Decimal('500'), max_digits=12, verbose_name='limit per transfer'),
        ),
        migrations.AlterField(
            model_name='movepolicy',
            name='second_person_above',
            field=models.DecimalField(decimal_places=2, default=Decimal('200'), max_digits=12, verbose_name='approval needed above'),
        ),
        migrations.AlterField(
            model_name='movepolicy',
            name='stopped_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='transfers paused since'),
        ),
    ]
