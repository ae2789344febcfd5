"""Django's sessions in the database, kept with an answer of 503 too."""

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

_KEY = re.compile(r"[a-z0-9]{32}\Z")  # What Django makes.


class SessionStore(db.SessionStore):
    """What SESSION_ENGINE names."""

    def __init__(self, session_key: str | None = None) -> None:
        """Take a cookie that Django cannot have made for no session; the database never sees it."""
        super().__init__(session_key if _KEY.match(session_key or "") else None)


class SessionMiddleware(middleware.SessionMiddleware):
    """Keeps what a request has put into its session with an answer of 503 too: what was typed must stay.

    Nothing that happens to the session takes the answer away: it says what has been done.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Django keeps nothing of an answer from 500 on, and sets no cookie with it."""
        status = response.status_code
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.status_code = HTTPStatus.OK
        try:
            return super().process_response(request, response)
        except SessionInterrupted:  # Signed out meanwhile. Django would say 400, as if nothing had been done.
            return response
        except Error as error:
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            # The page still says more than that something has gone wrong.
            logger.error("session not kept", extra={"error": type(error).__name__})
            return response
        finally:
            response.status_code = status


class Messages(SessionStorage):
    """What MESSAGE_STORAGE names: only the newest few wait for a page, so that no session grows on and on."""

    MOST = 10

    def _store(self, messages: Sequence[Message], response: HttpResponse, *args: Any, **kwargs: Any) -> Any:
        newest = messages[-self.MOST :]
        return super()._store(newest, response, *args, **kwargs)  # type: ignore[misc]  # Not in the stubs.
