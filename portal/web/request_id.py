"""Request IDs: short enough to quote in a support request, so that we find the log lines of the request."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Without characters that are easily confused (0/O, 1/I/L, 2/Z, 5/S, 8/B) and without vowels, to avoid words.
_ALPHABET = "2345679CDFGHJKMNPQRTVWXY"

current: ContextVar[str] = ContextVar("reference", default="")


def new_request_id() -> str:
    """Return a random ID like `K7QF-2MPX`. It has no meaning and cannot be guessed."""
    number = secrets.randbelow(len(_ALPHABET) ** 8)
    letters = "".join(_ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(8))
    return f"{letters[:4]}-{letters[4:]}"


@contextmanager
def request_id_context(request_id: str) -> Iterator[None]:
    """Use this request ID in log lines within the context."""
    token = current.set(request_id)
    try:
        yield
    finally:
        current.reset(token)
