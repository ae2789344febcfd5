"""Spell "email" in labels; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_address_at_the_carrier'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='carrier_email',
            field=models.EmailField(blank=True, db_default='', default='', help_text='Empty means: the same as here. The carrier mails its passwords to it.', max_length=254, verbose_name='email address at the carrier'),
        ),
        migrations.AlterField(
            model_name='user',
            name='email',
            field=models.EmailField(max_length=254, verbose_name='email address'),
        ),
    ]
