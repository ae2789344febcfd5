"""`manage.py guard_moves`: recreate the triggers that protect transfers."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from billing.triggers import GUARDS


class Command(BaseCommand):
    """Recreate the triggers of tables that were restored in part or rebuilt, or that have them disabled."""

    help = "Put the triggers that guard moves of funds and their audit trail on again. Changes no row."

    def handle(self, *args: Any, **options: Any) -> None:
        """Drop all triggers and create them again, in one transaction."""
        with transaction.atomic(), connection.cursor() as cursor:
            for guard in GUARDS:
                for statement in (*guard.drop[connection.vendor], *guard.create[connection.vendor]):
                    cursor.execute(statement)
        self.stdout.write("Moves of funds and their audit trail are guarded.")
