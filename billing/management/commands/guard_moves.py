"""`manage.py guard_moves`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from billing.triggers import GUARDS


class Command(BaseCommand):
    """For tables that were restored in part or rebuilt by hand, and for triggers that were switched off."""

    help = "Put the triggers that guard moves of funds and their audit trail on again. Changes no row."

    def handle(self, *args: Any, **options: Any) -> None:
        """Take off what is there, then put all on, by one transaction."""
        with transaction.atomic(), connection.cursor() as cursor:
            for guard in GUARDS:
                for statement in (*guard.drop[connection.vendor], *guard.create[connection.vendor]):
                    cursor.execute(statement)
        self.stdout.write("Moves of funds and their audit trail are guarded.")
