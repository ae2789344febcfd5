"""Sessions in the database, which are saved with a 503 response too, and messages in the session."""

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions import middleware
from django.contrib.sessions.backends import db
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import Error
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

_KEY = re.compile(r"[a-z0-9]{32}\Z")  # The form of Django's keys.


class SessionStore(db.SessionStore):
    """The session store of SESSION_ENGINE.

    A session that `ends_with_browser` has a cookie without an end. On the server it still ends at the time
    given to `set_expiry`: Django's `set_expiry(0)` would move its end with each change.
    """

    def __init__(self, session_key: str | None = None) -> None:
        """Ignore a cookie that Django cannot have set, without a database query."""
        super().__init__(session_key if _KEY.match(session_key or "") else None)

    def get_expire_at_browser_close(self) -> bool:
        """Return True if the cookie has no end."""
        return bool(self.get("ends_with_browser")) or super().get_expire_at_browser_close()


class SessionMiddleware(middleware.SessionMiddleware):
    """Save the session with a 503 response too, so that form input is not lost.

    A failure to save does not replace the response, which says what has been done.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        # Django saves no session and sets no cookie with a status of 500 or more.
        status = response.status_code
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.status_code = HTTPStatus.OK
        try:
            return super().process_response(request, response)
        except SessionInterrupted:  # Signed out in parallel. Django would answer 400, as if nothing was done.
            return response
        except Error as error:
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            # The page for 503 is more helpful than the one for 500.
            logger.error("session not kept", extra={"error": type(error).__name__})
            return response
        finally:
            response.status_code = status


class Messages(SessionStorage):
    """The message storage of MESSAGE_STORAGE. It keeps only the newest messages: a session must not grow."""

    MAX_MESSAGES = 10

    def _store(self, messages: Sequence[Message], response: HttpResponse, *args: Any, **kwargs: Any) -> Any:
        newest = messages[-self.MAX_MESSAGES :]
        return super()._store(newest, response, *args, **kwargs)  # type: ignore[misc]  # Not in the stubs.
