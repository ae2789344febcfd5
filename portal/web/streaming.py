"""Stream pages without JavaScript: send the frame at once and the other parts as they become available.

The template is rendered once, with a placeholder for each later part, and the page is split at placeholders.
"""

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from django.http import StreamingHttpResponse
from django.utils import timezone, translation

from portal.web import request_id

Chunks = Generator[str, None, None]


def new_placeholder() -> str:
    """Return a random text for the template that cannot occur anywhere else on the page."""
    return f"[{secrets.token_hex(16)}]"


def stream_response(chunks: Chunks) -> StreamingHttpResponse:
    """Return a response that produces each chunk in the current language, time zone and request ID.

    By the time the server reads a chunk, the middleware has reset them. Nothing runs before the first chunk
    is read. nginx sends each chunk at once.
    """
    produced = _iterate(chunks, _RequestContext())
    return StreamingHttpResponse(produced, headers={"X-Accel-Buffering": "no"})


class _RequestContext:
    """Language, time zone and request ID as middleware has set them, to be restored later."""

    def __init__(self) -> None:
        self.language = translation.get_language()
        self.zone = timezone.get_current_timezone()
        self.request_id = request_id.current.get()

    @contextmanager
    def restored(self) -> Iterator[None]:
        with (
            request_id.request_id_context(self.request_id),
            translation.override(self.language),
            timezone.override(self.zone),
        ):
            yield


def _iterate(chunks: Chunks, context: _RequestContext) -> Chunks:
    """Restore the context for each chunk only: between chunks the thread belongs to the server."""
    try:
        while True:
            with context.restored():
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        with context.restored():
            chunks.close()
