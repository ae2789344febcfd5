"""Format log lines: `event key=value …` for people, or one JSON object per line for programs."""

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
    # Our own line for each request covers refused requests.
    "django.request": {"level": "ERROR", "filters": ["route"]},
    "django.security.csrf": {"filters": ["route"]},
    "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True, "filters": ["gunicorn"]},
    # At lower levels urllib3 logs full URLs, which contain account numbers, and headers that it cannot parse.
    "urllib3": {"level": "ERROR"},
    # It tells each message. Without a handler huey adds its own, and its own level.
    "huey": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
}


def configuration(form: str) -> dict[str, Any]:
    """Return Django's LOGGING: everything goes to stderr. `form` is `text` or `json`."""
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
    """Escape control characters, so that no value can forge a log line."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the lines of the traceback, each with a mark: an error message must not forge a log line."""
    if not record.exc_info:
        return []
    return [f"  | {_one_line(line)}" for line in formatter.formatException(record.exc_info).splitlines()]


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def route_of(request: HttpRequest) -> str:
    """Return the name of the requested URL pattern, without its arguments.

    It is `static` for a static file and `none` if the URL has no name.
    """
    match = request.resolver_match
    if match is None and request.path_info.startswith(settings.STATIC_URL):
        return "static"
    return (match.view_name if match else "") or "none"


class RequestIdFilter(logging.Filter):
    """Add the field `request_id` to log lines that belong to a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: every record is logged."""
        # Django logs a failure after the request has ended, so the context may be empty.
        current = request_id.current.get() or getattr(getattr(record, "request", None), "reference", "")
        if current:
            record.request_id = current
        return True


class GunicornFilter(logging.Filter):
    """Shorten gunicorn's lines about failed requests, which may quote codes and cookies."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: every record is logged."""
        for event in ("Invalid request", "Error handling request"):
            if str(record.msg).startswith(event):
                record.msg, record.args = event, ()
        return True


class RouteFilter(logging.Filter):
    """Replace paths by route names in Django's lines: a path may contain a secret, a reason an address."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: every record is logged."""
        # The path is Django's last argument, and the reason comes before it.
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            others = [str(each).partition(" - ")[0] for each in record.args[:-1]]
            record.args = (*others, route_of(request))
        if record.exc_info and database.is_outage(record.exc_info[1]):
            # `portal.middleware.database_outage` logs the outage; a traceback would not help.
            record.exc_info = None
        return True


class TextFormatter(logging.Formatter):
    """`2026-01-31T10:00:00.000+00:00 INFO portal.carrier.calls carrier call brand=aurora status=200`"""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the lines of a traceback, each marked with `  | `."""
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name} {_one_line(record.getMessage() + extras)}"
        return "\n".join([line, *_traceback(self, record)])


class JsonFormatter(jsonlogger.JsonFormatter):
    """Format one JSON object per line: time, level, logger, event, the record's extra fields, traceback."""

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
        """Return the time in UTC, to the millisecond."""
        return _time(record)
