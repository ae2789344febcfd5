"""Pages whose frame is sent at once, and the rest as it comes to be known. No JavaScript has a part in it.

The template is rendered once, with a mark where something is to come, and the page is cut at the marks.
"""

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from django.utils import timezone, translation

from portal.web import request_id

Chunks = Generator[str, None, None]


def new_placeholder() -> str:
    """A text for the template that nothing else on the page can hold, because nobody can guess it."""
    return f"[{secrets.token_hex(16)}]"


def stream_in_request_context(chunks: Chunks) -> Chunks:
    """The chunks, each made in the language, time zone and reference of the request that is being answered.

    When a chunk is wanted, the middlewares have let go of the request. Nothing is made before the first is.
    """
    return _iterate(chunks, _RequestContext())


class _RequestContext:
    """What the middlewares have set, kept to be set again."""

    def __init__(self) -> None:
        self.language = translation.get_language()
        self.zone = timezone.get_current_timezone()
        self.reference = request_id.current.get()

    @contextmanager
    def again(self) -> Iterator[None]:
        with (
            request_id.request_id_context(self.reference),
            translation.override(self.language),
            timezone.override(self.zone),
        ):
            yield


def _iterate(chunks: Chunks, moment: _RequestContext) -> Chunks:
    """Between two chunks nothing stays set: the thread is the server's."""
    try:
        while True:
            with moment.again():
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        with moment.again():
            chunks.close()
