"""Spell "email" in labels; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0007_brand_changed_at'),
    ]

    operations = [
        migrations.AlterField(
            model_name='brand',
            name='support_email',
            field=models.EmailField(max_length=254, verbose_name='support email'),
        ),
        migrations.AlterField(
            model_name='responsecode',
            name='meaning',
            field=models.CharField(choices=[('captcha_failed', 'captcha not accepted'), ('email_taken', 'email already registered'), ('customer_unknown', 'customer unknown'), ('code_wrong', 'confirmation code wrong'), ('already_confirmed', 'email already confirmed'), ('not_authorised', 'API key or IP address not authorised')], max_length=20, verbose_name='meaning'),
        ),
    ]
