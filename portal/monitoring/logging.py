"""Log lines: `event key=value …` for people, or one JSON object a line for machines."""

import logging
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from pythonjsonlogger import json as jsonlogger

from portal.core import database
from portal.web import request_id

_LOGGERS: dict[str, dict[str, Any]] = {
    "django": {"handlers": [], "level": "INFO", "propagate": True},
    # Our own line of each request tells of those that were refused.
    "django.request": {"level": "ERROR", "filters": ["route"]},
    "django.security.csrf": {"filters": ["route"]},
    "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True, "filters": ["gunicorn"]},
    # Below, urllib3 writes whole URLs, which hold account numbers, and headers that it cannot read.
    "urllib3": {"level": "ERROR"},
}


def configuration(form: str) -> dict[str, Any]:
    """Django's LOGGING: everything goes to stderr; `form` is `text` or `json`."""
    stderr = {"class": "logging.StreamHandler", "formatter": form, "filters": ["reference"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": "portal.monitoring.logging.TextFormatter"},
            "json": {"()": "portal.monitoring.logging.JsonFormatter"},
        },
        "filters": {
            "reference": {"()": "portal.monitoring.logging.RequestIdFilter"},
            "gunicorn": {"()": "portal.monitoring.logging.GunicornFilter"},
            "route": {"()": "portal.monitoring.logging.RouteFilter"},
        },
        "handlers": {"stderr": stderr},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": _LOGGERS,
    }


_STANDARD = set(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "request",
    "taskName",
    "server_time",
}


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _one_line(text: str) -> str:
    """No value may begin a line that looks like one of ours."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """An error's message may hold anything, line ends too: no line of it may look like one of ours."""
    if not record.exc_info:
        return []
    return [f"  | {_one_line(line)}" for line in formatter.formatException(record.exc_info).splitlines()]


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def route_of(request: HttpRequest) -> str:
    """The name of the address that was asked for, without what stood in it.

    `static` for a static file, and `none` where it has no name.
    """
    match = request.resolver_match
    if match is None and request.path_info.startswith(settings.STATIC_URL):
        return "static"
    return (match.view_name if match else "") or "none"


class RequestIdFilter(logging.Filter):
    """The field `request_id`: the reference of the request a line belongs to, if it belongs to one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: nothing is left out. Django logs a failure when the request is over already."""
        found = request_id.current.get() or getattr(getattr(record, "request", None), "reference", "")
        if found:
            record.request_id = found
        return True


class GunicornFilter(logging.Filter):
    """gunicorn quotes what it cannot read or serve, codes and cookies too; what happened stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: nothing is left out."""
        for said in ("Invalid request", "Error handling request"):
            if str(record.msg).startswith(said):
                record.msg, record.args = said, ()
        return True


class RouteFilter(logging.Filter):
    """Django's lines about a request, by its route: a path may hold a link's secret, a reason an address."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: nothing is left out. The path is a line's last argument, the reason stands before it."""
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            told = [str(each).partition(" - ")[0] for each in record.args[:-1]]
            record.args = (*told, route_of(request))
        if record.exc_info and database.is_outage(record.exc_info[1]):
            record.exc_info = (
                None  # `portal.middleware.database_outage` has said so; the place in the code tells nothing.
            )
        return True


class TextFormatter(logging.Formatter):
    """`2026-01-31T10:00:00.000+00:00 INFO portal.carrier.calls carrier call brand=aurora status=200`"""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with a traceback behind it where there is one, each of its lines behind a mark."""
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name} {_one_line(record.getMessage() + extras)}"
        return "\n".join([line, *_traceback(self, record)])


class JsonFormatter(jsonlogger.JsonFormatter):
    """One JSON object a line: time, level, logger, event, the record's extra fields, and a traceback."""

    _NAMES = {
        "asctime": "time",
        "levelname": "level",
        "name": "logger",
        "message": "event",
        "exc_info": "traceback",
    }

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields=self._NAMES,
            reserved_attrs=sorted(_STANDARD),
            json_default=str,
            json_ensure_ascii=False,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """In UTC, to the millisecond."""
        return _time(record)
