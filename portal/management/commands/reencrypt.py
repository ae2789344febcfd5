"""`manage.py reencrypt`: re-encrypt every stored secret with the newest key of ENCRYPTION_KEY."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.security.key_rotation import reencrypt_secrets


class Command(BaseCommand):
    """Run this once the new key is first in ENCRYPTION_KEY on every node. Then the old key can be removed."""

    help = "Encrypts every stored secret with the first key of ENCRYPTION_KEY; safe while the portal serves."

    def handle(self, *args: Any, **options: Any) -> None:
        result = reencrypt_secrets()
        self.stdout.write(
            f"Secrets re-encrypted: {result.reencrypted}; already under the newest key: {result.up_to_date}."
        )
        if result.unreadable:
            named = "\n".join(f"  {location}" for location in result.unreadable)
            raise CommandError(
                f"No key of ENCRYPTION_KEY decrypts these:\n{named}\n"
                "Put the key that they were stored with back into ENCRYPTION_KEY, or enter them again."
            )
        self.stdout.write("Nothing needs the older keys of ENCRYPTION_KEY any more; you can take them out.")
