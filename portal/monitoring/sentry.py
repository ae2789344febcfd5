"""Faults told to Sentry, where SENTRY_DSN names one: the place of a fault, and nothing of the people.

What our log says at level ERROR is sent, by a thread of its own. A line's fixed text goes out, its traceback,
and of its fields those that are listed here; the text of an exception may hold anything, so it stays here.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger

from portal.web import request_id

_FIELDS = {"brand", "method", "outcome", "status", "milliseconds", "action", "error", "operation", "route"}


def start(dsn: str) -> None:
    """Begin to send."""
    sentry_sdk.init(
        dsn=dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None), AtexitIntegration(callback=lambda *_: None)],
        before_send=scrub_event,
        data_collection={
            "user_info": False,
            "http_bodies": [],
            "database_query_data": False,
            "stack_frame_variables": False,
        },
        max_breadcrumbs=0,
        server_name="",
        shutdown_timeout=2,
    )
    ignore_logger("portal.voipline")  # `portal.carrier.calls` says the same, with the brand.


def scrub_event(event: Any, hint: Any) -> Any:
    """The event without whatever could tell of a person or a secret."""
    for name in ("request", "user", "breadcrumbs", "server_name", "modules", "contexts"):
        event.pop(name, None)
    if "logentry" in event:
        event["logentry"] = {"message": event["logentry"].get("message", "")}
    for value in event.get("exception", {}).get("values", []):
        value["value"] = ""
        for frame in (value.get("stacktrace") or {}).get("frames", []):
            frame.pop("vars", None)
    told = {name: value for name, value in event.get("extra", {}).items() if name in _FIELDS}
    event["extra"] = told
    brand = {"brand": told["brand"]} if "brand" in told else {}
    event["tags"] = {"request_id": request_id.current.get(), **brand}
    return event
