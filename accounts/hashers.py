"""Password hashes that do not keep everybody else waiting."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from portal.resilience.bulkhead import HASHING


class SlottedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's own, a few at a time: each keeps a CPU busy for a third of a second.

    Raises `portal.resilience.bulkhead.Busy` where too many are ahead. Hashes are the same as Django's.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash; also what Django calls to verify one."""
        with HASHING.slot():
            return super().encode(password, salt, iterations)
