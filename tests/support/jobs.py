"""Background jobs without a worker."""

from django.core.management import call_command

from portal.models import JobRun


def tick() -> None:
    """Run `manage.py tick` as in a later minute, when every job is due again."""
    JobRun.objects.all().delete()
    call_command("tick")
