"""Send errors to Sentry if SENTRY_DSN is set: where an error happened, without personal data.

Log lines at level ERROR are sent from a separate thread: the fixed text, the traceback, and the fields in
`_FIELDS`. The text of an exception is not sent, because it may contain anything.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger

from portal.web import request_id

_FIELDS = {"brand", "method", "outcome", "status", "milliseconds", "action", "error", "operation", "route"}


def start(dsn: str) -> None:
    """Start to send errors."""
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
    ignore_logger("portal.voipline")  # `portal.carrier.calls` logs the same with the brand.


def scrub_event(event: Any, hint: Any) -> Any:
    """Remove everything from an event that could reveal a person or a secret."""
    for name in ("request", "user", "breadcrumbs", "server_name", "modules", "contexts"):
        event.pop(name, None)
    if "logentry" in event:
        event["logentry"] = {"message": event["logentry"].get("message", "")}
    for value in event.get("exception", {}).get("values", []):
        value["value"] = ""
        for frame in (value.get("stacktrace") or {}).get("frames", []):
            frame.pop("vars", None)
    extra = {name: value for name, value in event.get("extra", {}).items() if name in _FIELDS}
    event["extra"] = extra
    brand = {"brand": extra["brand"]} if "brand" in extra else {}
    event["tags"] = {"request_id": request_id.current.get(), **brand}
    return event
