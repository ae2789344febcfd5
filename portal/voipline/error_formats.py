"""Recognise success and failure in an answer, and find its messages, in the formats of several frameworks."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

Body = Mapping[str, object]

_SUCCESS_WORDS = {"success", "ok", "true", "1"}
_FALSE_WORDS = {"false", "0"}
_FAILURE_WORDS = {"error", "fail", "failed", "failure"}
_EMPTY_WORDS = {"", "false", "0", "null", "none"}
# Keys in a record of one error, {"field": …, "message": …}: those of its text and those of the field's name.
_MESSAGE_KEYS = ("message", "msg", "detail", "errors")
_FIELD_KEYS = ("field", "param", "parameter", "attribute", "path", "key", "name")
_NOT_A_FIELD = {"message", "messages", "error", "errors", "detail", "details"}
_MAX_DEPTH = 5


def affirms(body: Body) -> bool:
    """Return True if the answer calls itself a success by a code, a status or a word."""
    words = (_status(body), _nested_status(body), body.get("success"), _result(body))
    return has_code(body) or any(_is_success(word) for word in words if not _is_empty(word))


def denies(body: Body) -> bool:
    """Return True if the answer calls itself a failure by a word. Its code is not looked at here."""
    return (
        any(not _is_success(word) for word in (_status(body), _nested_status(body)) if not _is_empty(word))
        or _word(body.get("success")) in _FALSE_WORDS | _FAILURE_WORDS
        or _word(_result(body)) in _FAILURE_WORDS
        or any(
            not _is_empty(body.get(name)) and _word(body[name]) not in _EMPTY_WORDS
            for name in ("error", "errors")
        )
    )


def has_code(body: Body) -> bool:
    """Return True if the answer has a code that is neither null nor empty."""
    return not _is_empty(body.get("code"))


def _status(body: Body) -> object:
    return body.get("status")


def _nested_status(body: Body) -> object:
    message = body.get("message")
    return message.get("status") if isinstance(message, dict) else None


def _result(body: Body) -> object:
    result = body.get("result")
    return result if isinstance(result, str) else None


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _word(value: object) -> str:
    """Return a text, number or boolean as one word in lower case, and "…" for a list or a map."""
    if isinstance(value, Decimal):
        return "0" if not value else "1" if value == 1 else "…"
    return str(value).strip().casefold() if isinstance(value, str | bool) else "…"


def _is_success(value: object) -> bool:
    if isinstance(value, Decimal):
        return value == 1 or 200 <= value <= 299
    return _word(value) in _SUCCESS_WORDS or re.fullmatch(r"2\d\d", _word(value)) is not None


def texts(body: Body) -> list[tuple[str, str]]:
    """Return the answer's messages as pairs: the carrier's name of the field, or "", and the text.

    They come from `message` (a text, a list, or by field), from `errors` (by field, or a list), else from
    `error` (a text, or its `message`). A summary in `message` is left out if there are `errors`.
    """
    errors = list(_messages(body.get("errors")))
    message = [] if errors and isinstance(body.get("message"), str) else list(_messages(body.get("message")))
    return message + errors or list(_messages(body.get("error")))


def every_text(body: Body) -> list[str]:
    """Return all messages, including the summary that `texts` leaves out: an operator may have mapped it."""
    return [text for name in ("message", "errors", "error") for _, text in _messages(body.get(name))]


def _messages(value: object, field: str = "", depth: int = _MAX_DEPTH) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.strip():
        yield field, value
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _messages(item, field, depth - 1)
    elif isinstance(value, dict) and depth:
        if message_keys := [name for name in _MESSAGE_KEYS if value.get(name)]:
            field_name = field or _field_name(value)
            for name in message_keys:
                yield from _messages(value[name], field_name, depth - 1)
            return
        for name, item in value.items():
            if name != "status":
                yield from _messages(item, field or ("" if _is_no_field(name) else name), depth - 1)


def _field_name(record: Mapping[str, object]) -> str:
    """Return the field that a record of one error is about; for JSON:API the last step of the pointer."""
    source = record.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    if isinstance(pointer, str):
        return pointer.rpartition("/")[2]
    return next((name for key in _FIELD_KEYS if isinstance(name := record.get(key), str)), "")


def _is_no_field(name: str) -> bool:
    return name in _NOT_A_FIELD or name.isdigit()  # PHP may send a list as a map of its indexes.
