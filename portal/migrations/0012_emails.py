"""Add the log of emails, which is also the outbox."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0011_job_runs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Email',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template', models.CharField(max_length=40)),
                ('to', models.CharField(max_length=254, verbose_name='recipient')),
                ('language', models.CharField(blank=True, max_length=10)),
                ('values', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', models.DateTimeField(null=True)),
                ('taken_at', models.DateTimeField(null=True)),
                ('refusal', models.CharField(blank=True, max_length=200, verbose_name="email server's answer")),
                ('brand', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='emails', to='portal.brand')),
                ('person', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'email',
                'verbose_name_plural': 'emails',
                'indexes': [models.Index(fields=['brand', 'to'], name='email_by_address'), models.Index(fields=['asked_at'], name='email_by_time'), models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at'], name='email_to_send')],
            },
        ),
    ]
