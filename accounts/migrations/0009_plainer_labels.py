"""Say labels in plainer words; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_email_spelling'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='carrier_email',
            field=models.EmailField(blank=True, db_default='', default='', help_text="Leave this empty if it's the same as here. The carrier emails its passwords to this address.", max_length=254, verbose_name='email address at the carrier'),
        ),
        migrations.AlterField(
            model_name='user',
            name='refused_account_number',
            field=models.CharField(blank=True, max_length=64, verbose_name="account number from the carrier that wasn't saved"),
        ),
    ]
