"""Decide if a reply is a success, and else which error it is. No other module decides this."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil

from portal.voipline import error_formats, wire
from portal.voipline.error_formats import Body
from portal.voipline.errors import BadAnswer, NotAuthorised, RateLimited, Rejected, ServerError, UpstreamError
from portal.voipline.http_exchange import Reply
from portal.voipline.methods import Method
from portal.voipline.name_matching import our_name
from portal.voipline.results import Answer, extract

_MAX_TEXT = 500
_MAX_CODE = 60
_NOT_AUTHORISED = (
    "not authorised: the API key is wrong, or this server's public IP address "
    "is not listed in the partner portal"
)


def parse_response(method: Method, codes: Mapping[str, str], reply: Reply, sent: Mapping[str, str]) -> Answer:
    """Return the results of a success, else raise one of the errors in `errors`.

    Success is HTTP 2xx, a `code` of 2xx if there is one, and no word that denies it. Under HTTP 2xx any other
    `code` counts as if it were the HTTP status. A 204 is a success without results.
    """
    body, flaw = _parse_body(reply)
    try:
        return _parse(method, codes, reply, body, flaw, sent)
    except UpstreamError as error:
        error.not_json = bool(flaw and reply.body and not wire.begins_as_json(reply.body))
        error.listed_as = _clean(next(_code_text(body), ""))[:_MAX_CODE]
        raise


def _parse(
    method: Method, codes: Mapping[str, str], reply: Reply, body: Body, flaw: str, sent: Mapping[str, str]
) -> Answer:
    code = _effective_code(reply.status, body)
    if _is_2xx(reply.status) and flaw:
        raise _error(method, BadAnswer, reply.status, flaw)
    if not _is_2xx(code) or error_formats.denies(body):
        raise _build_error(method, codes, reply, body, flaw, code)
    try:
        return extract(method, body, sent)
    except wire.WireError as error:
        words = str(error)
    raise _error(method, BadAnswer, reply.status, words)


def _parse_body(reply: Reply) -> tuple[Body, str]:
    if reply.status == HTTPStatus.NO_CONTENT:
        return {}, ""
    if reply.body is None:
        return {}, reply.flaw
    try:
        return wire.parse(reply.body), ""
    except wire.WireError as error:
        return {}, str(error)


def _is_2xx(code: int | None) -> bool:
    return code is not None and 200 <= code <= 299


def _effective_code(status: int, body: Body) -> int | None:
    """Return the code that decides: the body's under HTTP 2xx if it has one, None if that is no number."""
    if not _is_2xx(status) or not error_formats.has_code(body):
        return status
    return _to_int(body["code"])


def _to_int(value: object) -> int | None:
    try:
        digits = wire.text(value).strip()
    except wire.WireError:
        return None
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def _build_error(
    method: Method, codes: Mapping[str, str], reply: Reply, body: Body, flaw: str, code: int | None
) -> UpstreamError:
    meaning = _meaning(codes, reply.status, body)
    kind = _error_class(code, meaning)
    words = _ERROR_TEXTS.get(kind, "")
    if _is_2xx(code):  # Only words deny the success, perhaps against other words that affirm it.
        is_contradiction = error_formats.affirms(body) and not meaning
        kind = BadAnswer if is_contradiction else _error_class(400, meaning)
        words = (
            "an answer that says both that it worked and that it did not"
            if is_contradiction
            else _NOT_AUTHORISED
        )
    if not kind.uncertain and not _is_certain_refusal(method, code, flaw):
        kind, words = BadAnswer, "an answer that does not surely refuse it"
    status = reply.status if code is None else code
    if kind is RateLimited:
        words = "the carrier asks us to wait"
        return RateLimited(method.key, status, _message(method, status, words), retry_after=_seconds(reply))
    if kind is Rejected:
        return _build_rejected(method, status, body, meaning)
    return _error(method, kind, status, words)


_ERROR_TEXTS: Mapping[type[UpstreamError], str] = {
    NotAuthorised: _NOT_AUTHORISED,
    ServerError: "the carrier's server failed",
    BadAnswer: "an answer that is neither success nor a listed error",
}


def _error_class(code: int | None, meaning: str) -> type[UpstreamError]:
    """Return the class for an effective code. 3xx, 408, 429 and 5xx decide; else a meaning comes first."""
    if code is not None:
        if 500 <= code <= 599 or code == HTTPStatus.REQUEST_TIMEOUT:
            return ServerError
        if 300 <= code <= 399:
            return BadAnswer
        if code == 429:
            return RateLimited
    if code == 401 or meaning == "not_authorised" or (code == 403 and not meaning):
        return NotAuthorised
    refused = code is not None and 400 <= code <= 499
    return Rejected if meaning or refused else BadAnswer


def _is_certain_refusal(method: Method, code: int | None, flaw: str) -> bool:
    """Return True if the method was certainly not carried out. `rules.refusals` allows only listed codes."""
    listed = method.rules.refusals
    return not listed or (not flaw and code in listed)


def _meaning(codes: Mapping[str, str], status: int, body: Body) -> str:
    """Return the operator's meaning of the body's code, one of its messages or the HTTP status, or ""."""
    keys = [*_code_text(body), *error_formats.every_text(body), str(status)]
    return next((codes[key] for key in keys if key in codes), "")


def _code_text(body: Body) -> Iterator[str]:
    with suppress(wire.WireError):
        yield wire.text(body.get("code"))


def _build_rejected(method: Method, status: int, body: Body, meaning: str) -> Rejected:
    ours = {theirs: name for name, theirs in method.parameters.items()}
    field_names = sorted(method.available - {"google_captcha"})
    fields: dict[str, list[str]] = {}
    other_texts: list[str] = []
    for name, text in error_formats.texts(body):
        meant = ours.get(name) or our_name(name.rpartition(".")[2], field_names)
        if clean := _clean(text):
            (fields.setdefault(meant, []) if meant else other_texts).append(clean)
    message = _message(method, status, f"the carrier refused the data{f' ({meaning})' if meaning else ''}")
    return Rejected(
        method.key, status, message, " ".join(other_texts)[:_MAX_TEXT], fields=fields, meaning=meaning
    )


def _clean(text: str) -> str:
    """Return the text as one line that can be shown and stored."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_MAX_TEXT]


def _error(method: Method, kind: type[UpstreamError], status: int, words: str) -> UpstreamError:
    happened = kind.uncertain and method.writes
    return kind(method.key, status, _message(method, status, words), may_have_happened=happened)


def _message(method: Method, status: int, words: str) -> str:
    return f"{method.key}: {words} (code {status})"


def _seconds(reply: Reply) -> int | None:
    """Return Retry-After in seconds. It is a number or an HTTP date (RFC 9110, section 10.2.3)."""
    text = reply.retry_after.strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 9 else None
    try:
        wait = parsedate_to_datetime(text) - datetime.now(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0, ceil(wait.total_seconds()))
