"""Add how new accounts are billed, and where and how customers pay."""

import portal.core.validators
import portal.models.brand
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0009_plainer_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='brand',
            name='account_type',
            field=models.CharField(blank=True, choices=[('prepaid', 'prepaid'), ('postpaid', 'postpaid')], db_default='prepaid', default='prepaid', max_length=8, verbose_name='account type of new customers'),
        ),
        migrations.AddField(
            model_name='brand',
            name='how_to_pay',
            field=models.CharField(blank=True, db_default='', default='', max_length=300, validators=[portal.core.validators.one_line], verbose_name='how to pay'),
        ),
        migrations.AddField(
            model_name='brand',
            name='top_up_url',
            field=portal.models.brand.HttpsURLField(blank=True, db_default='', default='', validators=[portal.core.validators.https_url], verbose_name='page to top up or pay'),
        ),
    ]
