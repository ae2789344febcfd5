"""A short number for each request, by which a customer's question and our log lines find each other."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# No two that are taken for one another (0/O, 1/I/L, 2/Z, 5/S, 8/B), and no vowel to make words with.
ALPHABET = "2345679CDFGHJKMNPQRTVWXY"

current: ContextVar[str] = ContextVar("reference", default="")


def new_request_id() -> str:
    """`K7QF-2MPX`, by chance: it says nothing, and nobody can choose or guess it."""
    number = secrets.randbelow(len(ALPHABET) ** 8)
    letters = "".join(ALPHABET[number // len(ALPHABET) ** place % len(ALPHABET)] for place in range(8))
    return f"{letters[:4]}-{letters[4:]}"


@contextmanager
def request_id_context(reference: str) -> Iterator[None]:
    """Log lines belong to the request of this reference meanwhile."""
    token = current.set(reference)
    try:
        yield
    finally:
        current.reset(token)
