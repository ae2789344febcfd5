"""`manage.py run_worker`: run background jobs until the process is ended."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser, call_command

from portal.management.processes import end_with_parent

THREADS = 4
GRACE = 25  # Seconds to finish jobs in progress after SIGTERM. A job that is cut off runs again.


class Command(BaseCommand):
    """Run huey's consumer with our options. Several workers may run: of each job only one does the work."""

    help = (
        "Run background jobs: alerts, mails, deleting old rows. Ends by SIGTERM after the jobs in progress."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--with-parent", action="store_true", help="End when the standard input closes.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the queue's tables if they are missing, then run."""
        if options["with_parent"]:
            end_with_parent()
        settings.HUEY.storage.initialize_schema()
        call_command(
            "run_huey",
            workers=THREADS,
            worker_type="thread",
            graceful_signal="TERM",
            shutdown_timeout=GRACE,
            max_delay=2.0,
        )
