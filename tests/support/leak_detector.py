"""Inspects after each request what all places contain: logs, error mails, database, cache, cookies, pages."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils.log import AdminEmailHandler

from portal.monitoring.logging import JsonFormatter, TextFormatter
from portal.resilience import rate_limits

SESSION = "__Host-session"
PLACES = ("log", "error mails", "database", "cache", "cookies", "pages")


def database() -> str:
    """Return every value of every table, with sessions decoded, except the columns of session keys."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = [(table, row) for table in tables for row in _rows(cursor, table)]
    return str(rows) + str([session.get_decoded() for session in Session.objects.all()])


def _rows(cursor: Any, table: str) -> list[list[Any]]:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    columns = [nth for nth, column in enumerate(cursor.description) if column[0] != "session_key"]
    assert (len(columns) < len(cursor.description)) is (table in ("django_session", "accounts_signin"))
    return [[_bytes(row[nth]) for nth in columns] for row in cursor.fetchall()]


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def cached() -> str:
    """Return the cache and the rate limits."""
    if not settings.REDIS_URL:
        return str(vars(caches["default"])) + str(vars(rate_limits._limiter(settings.REDIS_URL).storage))
    with redis.Redis.from_url(settings.REDIS_URL) as store:
        reads = {b"string": store.get, b"set": store.smembers, b"hash": store.hgetall}
        reads |= {
            b"list": lambda key: store.lrange(key, 0, -1),
            b"zset": lambda key: store.zrange(key, 0, -1),
        }
        return str([(key, reads[cast(bytes, store.type(key))](key)) for key in store.scan_iter()])


class LeakDetector(logging.Handler):
    """Collects texts by place, and session keys."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[str]] = {place: [] for place in PLACES}
        self.session_keys: set[str] = set()
        self.cookies: list[Any] = []
        self._reporting = False
        self.mailing = AdminEmailHandler(include_html=True)
        self.mailing.send_mail = self._mail  # type: ignore[method-assign]

    def emit(self, record: logging.LogRecord) -> None:
        """Record it in both log formats, and as Django's error mail."""
        if self._reporting:  # At debug level Django logs all variables of the report template.
            return
        self.seen["log"] += [TextFormatter().format(record), JsonFormatter().format(record)]
        if record.levelno >= logging.ERROR:
            self._reporting = True
            self.mailing.emit(record)
            self._reporting = False

    def _mail(self, subject: str, message: str, *_: Any, html_message: str = "", **__: Any) -> None:
        self.seen["error mails"] += [subject, message, html_message]

    def inspect(self, client: Client, response: HttpResponse) -> None:
        """Record the response and what it left in each place."""
        body = b"".join(response) if response.streaming else response.content
        headers = {name: value for name, value in response.items() if (response.status_code, name) != ALLOWED}
        self.seen["pages"] += [body.decode(errors="replace"), str(headers)]
        self.seen["database"].append(database())
        self.seen["cache"].append(cached())
        for name, cookie in response.cookies.items():
            self.cookies.append(cookie)
            if name == SESSION and cookie.value:
                self.session_keys.add(cookie.value)
            else:
                self.seen["cookies"].append(cookie.OutputString())

    def places_with(self, canary: str) -> list[str]:
        """Return the places where this text was ever seen."""
        return [place for place, texts in self.seen.items() if any(canary in text for text in texts)]


# "Go to my account": the login URL belongs there and nowhere else.
ALLOWED = (303, "Location")


class WatchedClient(Client):
    """A browser that inspects every response; an exception becomes the error page visitors see."""

    def __init__(self, detector: LeakDetector, host: str) -> None:
        super().__init__(headers={"host": host}, raise_request_exception=False)
        self.witness = detector

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        self.witness.inspect(self, response)
        return response


@contextmanager
def detect_leaks() -> Iterator[LeakDetector]:
    """Detect leaks, with logging at every level."""
    detector = LeakDetector()
    loggers = [logging.getLogger(name) for name in ("", "django", "portal", "accounts", "billing")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(detector)
    try:
        yield detector
    finally:
        loggers[0].removeHandler(detector)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
