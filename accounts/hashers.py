"""Password hasher that limits how many hashes are computed at a time."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from portal.resilience.bulkhead import HASHING


class SlottedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's PBKDF2 hasher, with a limit on concurrency: each hash uses a CPU for a third of a second.

    Raises `portal.resilience.bulkhead.Busy` if too many are waiting. Hashes are the same as Django's.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash. Django also calls this to verify a password."""
        with HASHING.slot():
            return super().encode(password, salt, iterations)
