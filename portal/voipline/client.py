"""Call a method of a carrier with our names and values. Return its results or raise an UpstreamError."""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from portal.voipline import transport, wire
from portal.voipline.carrier import Carrier
from portal.voipline.errors import CallSkipped, Crowded, NoAnswer, ServerError, Unreachable, UpstreamError
from portal.voipline.http_exchange import Reply
from portal.voipline.methods import PLACEHOLDER, Method, is_account_number
from portal.voipline.response import parse_response
from portal.voipline.results import Answer
from portal.voipline.urls import address, origin

log = logging.getLogger("portal.voipline")

GET_TRIES = 3
# Codes of a gateway whose carrier does not answer; those from 520 on are Cloudflare's.
_RETRYABLE = {408, 502, 503, 504, *range(520, 528), 530}
_RETRY_IF_BUSY = 5  # Seconds after which a slot is likely to be free again.


@dataclass(frozen=True)
class _PreparedCall:
    """A call ready to be sent. `sent`: our parameter name → the text in the request."""

    carrier: Carrier
    method: Method
    request: requests.PreparedRequest
    sent: Mapping[str, str] = field(repr=False)


def call(carrier: Carrier, method_key: str, /, **values: wire.Value | None) -> Answer:
    """Call a method. Return our result name → `Decimal` or text, for the results that came back.

    `values`, by our names: a str, a date, or a Decimal of at most five decimals. None leaves a parameter out.
    A parameter that the operator dropped is not sent. Raise TypeError for an unknown or missing name and
    ValueError for a value that cannot be sent, both before anything is sent; else `UpstreamError`. Return or
    raise within `carrier.timeouts.total` seconds. A GET is tried at most three times, a PUT or POST once.
    """
    prepared = _prepare(carrier, _method(carrier, method_key), values)
    deadline = time.monotonic() + carrier.timeouts.total
    for tries_left in range(0 if prepared.method.writes else GET_TRIES - 1, -1, -1):
        try:
            return _attempt(prepared, deadline)
        except UpstreamError as error:
            delay = _retry_delay(carrier, GET_TRIES - tries_left)
            enough_time = time.monotonic() + delay + carrier.timeouts.retry_unit <= deadline
            if not (tries_left and enough_time and _is_retryable(error)):
                raise
        time.sleep(delay)
    raise AssertionError("the last try returns or raises")


def _method(carrier: Carrier, key: str) -> Method:
    if key not in carrier.methods:
        raise ValueError(f"This carrier has no method {key!r}")
    return carrier.methods[key]


def _is_retryable(error: UpstreamError) -> bool:
    if isinstance(error, ServerError):
        return error.status in _RETRYABLE
    return isinstance(error, Unreachable | NoAnswer) and not isinstance(error, CallSkipped)


def _retry_delay(carrier: Carrier, nth: int) -> float:
    """Return the seconds before the next try: 0.1 to 0.2 at first, then twice that (default timeouts).

    The jitter prevents callers from retrying at the same moment.
    """
    jitter = random.uniform(0.1, 0.2)  # noqa: S311 (no secret: it only spreads the tries)
    return float(jitter * 2 ** (nth - 1) * carrier.timeouts.retry_unit)


def _prepare(carrier: Carrier, method: Method, values: Mapping[str, wire.Value | None]) -> _PreparedCall:
    sent = _serialise(method, values)
    url = address(carrier.url, method.path, sent.get("account_number", ""))
    pairs = [(theirs, sent[ours]) for ours, theirs in method.parameters.items() if ours in sent]
    headers = {"token": carrier.key.reveal(), **transport.HEADERS}
    request = requests.Request(
        method.verb, url, headers=headers, **_payload(method, [*pairs, *method.constants.items()])
    ).prepare()
    if origin(str(request.url)) != origin(carrier.url):
        raise ValueError("The request would leave the carrier's host")
    return _PreparedCall(carrier, method, request, sent)


def _serialise(method: Method, values: Mapping[str, wire.Value | None]) -> dict[str, str]:
    """Return our name → text for everything that is to be sent."""
    expected = {name for name in method.available if method.wants(name)}
    if unknown := values.keys() - method.available:
        raise TypeError(f"{method.key} has no {', '.join(sorted(unknown))}")
    if missing := expected - values.keys():
        raise TypeError(f"{method.key} needs {', '.join(sorted(missing))}")
    sent = {
        name: _serialise_one(method, name, value) for name in expected if (value := values[name]) is not None
    }
    if PLACEHOLDER in method.path and "account_number" not in sent:
        raise TypeError(f"{method.key} needs account_number")
    for group in method.rules.essential:
        if not any(sent.get(name) for name in group):
            raise TypeError(f"{method.key} needs {' or '.join(group)}")
    return sent


def _serialise_one(method: Method, name: str, value: wire.Value) -> str:
    try:
        text = wire.render(value, method.date_format)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} {error}") from None
    if name == "account_number" and not is_account_number(text):
        raise ValueError("account_number is not an account number")
    return text


def _payload(method: Method, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    if not method.writes:
        return {"params": pairs}
    if method.body == "form":
        return {"data": pairs}
    return {"files": [(name, (None, text.encode())) for name, text in pairs]}


def _attempt(prepared: _PreparedCall, deadline: float) -> Answer:
    started = time.monotonic()
    try:
        answer = _send_once(prepared, deadline)
    except UpstreamError as error:
        _log(logging.WARNING, prepared, type(error).__name__, error.status, started)
        raise
    _log(logging.INFO, prepared, "ok", 200, started)
    return answer


def _send_once(prepared: _PreparedCall, deadline: float) -> Answer:
    method = prepared.method
    carrier = prepared.carrier
    outcome = transport.send(
        prepared.request, carrier.timeouts, deadline, key=carrier.key.reveal(), reach=carrier.reach
    )
    if isinstance(outcome, Reply):
        return parse_response(method, carrier.codes, outcome, prepared.sent)
    if outcome.busy:
        raise Crowded(method.key, outcome.reason, retry_after=_RETRY_IF_BUSY)
    message = f"{method.key}: {outcome.reason}"
    if outcome.sent:
        raise NoAnswer(method.key, None, message, may_have_happened=method.writes)
    raise Unreachable(method.key, None, message)


def _log(level: int, prepared: _PreparedCall, outcome: str, status: int | None, started: float) -> None:
    extra = {
        "method": prepared.method.key,
        "outcome": outcome,
        "status": status,
        "milliseconds": round((time.monotonic() - started) * 1000),
    }
    log.log(level, "%(method)s: %(outcome)s, status %(status)s, %(milliseconds)s ms", extra, extra=extra)
