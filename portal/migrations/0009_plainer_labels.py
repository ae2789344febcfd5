"""Say labels in plainer words; no column changes."""

import portal.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0008_email_spelling'),
    ]

    operations = [
        migrations.AlterField(
            model_name='brand',
            name='from_email',
            field=models.CharField(max_length=200, validators=[portal.core.validators.sender], verbose_name='sender of emails'),
        ),
        migrations.AlterField(
            model_name='brand',
            name='mail_tested_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last test email sent'),
        ),
    ]
