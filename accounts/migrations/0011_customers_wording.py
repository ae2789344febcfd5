"""Call the admin's list of people what it is: customers and staff."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_sign_ins_with_their_sessions'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='user',
            options={'verbose_name': 'customer', 'verbose_name_plural': 'customers and staff'},
        ),
    ]
