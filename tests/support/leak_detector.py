"""Sees after each request what every place holds: logs, error mails, database, cache, cookies, pages."""

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
    """Every value of every table, sessions decoded; but not the column in which sessions are looked up."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = [(table, row) for table in tables for row in _rows(cursor, table)]
    return str(rows) + str([session.get_decoded() for session in Session.objects.all()])


def _rows(cursor: Any, table: str) -> list[list[Any]]:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    own = (table, "session_key")
    kept = [nth for nth, column in enumerate(cursor.description) if (table, column[0]) != own]
    assert (len(kept) < len(cursor.description)) is (table == "django_session")
    return [[_plain(row[nth]) for nth in kept] for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def cached() -> str:
    """The cache and the kept limits."""
    if not settings.REDIS_URL:
        return str(vars(caches["default"])) + str(vars(rate_limits._limiter(settings.REDIS_URL).storage))
    with redis.Redis.from_url(settings.REDIS_URL) as store:
        reads = {b"string": store.get, b"set": store.smembers, b"hash": store.hgetall}
        reads |= {
            b"list": lambda key: store.lrange(key, 0, -1),
            b"zset": lambda key: store.zrange(key, 0, -1),
        }
        return str([(key, reads[cast(bytes, store.type(key))](key)) for key in store.scan_iter()])


class Witness(logging.Handler):
    """Collects what was seen, by place, and the keys that sessions had."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[str]] = {place: [] for place in PLACES}
        self.session_keys: set[str] = set()
        self.cookies: list[Any] = []
        self._reporting = False
        self.mailing = AdminEmailHandler(include_html=True)
        self.mailing.send_mail = self._mail  # type: ignore[method-assign]

    def emit(self, record: logging.LogRecord) -> None:
        """A record in both formats, and as the mail that Django makes of an error."""
        if self._reporting:  # At debug level Django writes out all that the report's template is given.
            return
        self.seen["log"] += [TextFormatter().format(record), JsonFormatter().format(record)]
        if record.levelno >= logging.ERROR:
            self._reporting = True
            self.mailing.emit(record)
            self._reporting = False

    def _mail(self, subject: str, message: str, *_: Any, html_message: str = "", **__: Any) -> None:
        self.seen["error mails"] += [subject, message, html_message]

    def look(self, client: Client, response: HttpResponse) -> None:
        """Note the answer, and what it left behind."""
        body = b"".join(response) if response.streaming else response.content
        told = {name: value for name, value in response.items() if (response.status_code, name) != LED_ON}
        self.seen["pages"] += [body.decode(errors="replace"), str(told)]
        self.seen["database"].append(database())
        self.seen["cache"].append(cached())
        for name, cookie in response.cookies.items():
            self.cookies.append(cookie)
            if name == SESSION and cookie.value:
                self.session_keys.add(cookie.value)
            else:
                self.seen["cookies"].append(cookie.OutputString())

    def places_with(self, canary: str) -> list[str]:
        """Where it was seen, ever."""
        return [place for place, texts in self.seen.items() if any(canary in text for text in texts)]


# "Go to my account": the login URL belongs there, and only there.
LED_ON = (303, "Location")


class Watched(Client):
    """A browser whose every answer the witness looks at; an error of ours is the page it is to visitors."""

    def __init__(self, witness: Witness, host: str) -> None:
        super().__init__(headers={"host": host}, raise_request_exception=False)
        self.witness = witness

    def request(self, **request: Any) -> Any:
        """As any request."""
        response = super().request(**request)
        self.witness.look(self, response)
        return response


@contextmanager
def watching() -> Iterator[Witness]:
    """A witness of all that is logged meanwhile, at every level."""
    witness = Witness()
    loggers = [logging.getLogger(name) for name in ("", "django", "portal", "accounts", "billing")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(witness)
    try:
        yield witness
    finally:
        loggers[0].removeHandler(witness)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
