"""Add the runs of background jobs."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0010_paying'),
    ]

    operations = [
        migrations.CreateModel(
            name='JobRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.CharField(max_length=40)),
                ('due_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(null=True)),
                ('done', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(blank=True, default='', max_length=60)),
            ],
            options={
                'indexes': [models.Index(fields=['due_at'], name='job_run_by_time')],
                'constraints': [models.UniqueConstraint(fields=('job', 'due_at'), name='one_run_each_time')],
            },
        ),
    ]
