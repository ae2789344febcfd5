"""`manage.py reencrypt`: every stored secret under the newest key of ENCRYPTION_KEY."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.security.key_rotation import reencrypt_secrets


class Command(BaseCommand):
    """Run it when the new key is in front of ENCRYPTION_KEY on every node; then the old one can go."""

    help = "Encrypts every stored secret with the first key of ENCRYPTION_KEY; safe while the portal serves."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many, and which could not be read."""
        done = reencrypt_secrets()
        self.stdout.write(
            f"Secrets encrypted anew: {done.reencrypted}; already under the newest key: {done.fresh}."
        )
        if done.unreadable:
            named = "\n".join(f"  {place}" for place in done.unreadable)
            raise CommandError(
                f"No key of ENCRYPTION_KEY decrypts these:\n{named}\n"
                "Put the key that they were stored with back into ENCRYPTION_KEY, or enter them anew."
            )
        self.stdout.write("Nothing needs the older keys of ENCRYPTION_KEY any more; you can take them out.")
