"""How APIs of this kind say no, and where they put their words: by the manners of several frameworks."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

Body = Mapping[str, object]

_YES = {"success", "ok", "true", "1"}
_NO = {"false", "0"}
_FAILED = {"error", "fail", "failed", "failure"}
_NOTHING = {"", "false", "0", "null", "none"}
# In a record of one error, {"field": …, "message": …}: where its words are, and where the field's name is.
_WORDS = ("message", "msg", "detail", "errors")
_FIELD = ("field", "param", "parameter", "attribute", "path", "key", "name")
_NO_FIELD = {"message", "messages", "error", "errors", "detail", "details"}
_DEEPEST = 5


def affirms(body: Body) -> bool:
    """Does the answer call itself a success, by a code, a status or in so many words?"""
    words = (_status(body), _nested_status(body), body.get("success"), _result(body))
    return has_code(body) or any(_agrees(word) for word in words if not _empty(word))


def denies(body: Body) -> bool:
    """Does the answer call itself a failure? Its code is judged elsewhere."""
    return (
        any(not _agrees(word) for word in (_status(body), _nested_status(body)) if not _empty(word))
        or _word(body.get("success")) in _NO | _FAILED
        or _word(_result(body)) in _FAILED
        or any(
            not _empty(body.get(name)) and _word(body[name]) not in _NOTHING for name in ("error", "errors")
        )
    )


def has_code(body: Body) -> bool:
    """Is there a code? One that is null or empty is none."""
    return not _empty(body.get("code"))


def _status(body: Body) -> object:
    return body.get("status")


def _nested_status(body: Body) -> object:
    message = body.get("message")
    return message.get("status") if isinstance(message, dict) else None


def _result(body: Body) -> object:
    result = body.get("result")
    return result if isinstance(result, str) else None


def _empty(found: object) -> bool:
    return found is None or found in ("", [], {}) or (isinstance(found, str) and not found.strip())


def _word(found: object) -> str:
    """A text, a number or a truth value as one word in lower case; a list or a map is none."""
    if isinstance(found, Decimal):
        return "0" if not found else "1" if found == 1 else "…"
    return str(found).strip().casefold() if isinstance(found, str | bool) else "…"


def _agrees(found: object) -> bool:
    if isinstance(found, Decimal):
        return found == 1 or 200 <= found <= 299
    return _word(found) in _YES or re.fullmatch(r"2\d\d", _word(found)) is not None


def texts(body: Body) -> list[tuple[str, str]]:
    """(the carrier's name of a field, or "", and a text) for all that an answer says, for somebody to read.

    In `message` (a text, a list, or by field), in `errors` (by field, or a list), else in `error` (a text,
    or its `message`). A sentence above `errors` that tell more is left out.
    """
    errors = list(_within(body.get("errors")))
    message = [] if errors and isinstance(body.get("message"), str) else list(_within(body.get("message")))
    return message + errors or list(_within(body.get("error")))


def every_text(body: Body) -> list[str]:
    """Those and the sentence that is left out: what an operator may have listed."""
    return [text for name in ("message", "errors", "error") for _, text in _within(body.get(name))]


def _within(found: object, field: str = "", depth: int = _DEEPEST) -> Iterator[tuple[str, str]]:
    if isinstance(found, str) and found.strip():
        yield field, found
    elif isinstance(found, list) and depth:
        for each in found:
            yield from _within(each, field, depth - 1)
    elif isinstance(found, dict) and depth:
        if words := [name for name in _WORDS if found.get(name)]:
            named = field or _named(found)
            for name in words:
                yield from _within(found[name], named, depth - 1)
            return
        for name, each in found.items():
            if name != "status":
                yield from _within(each, field or ("" if _is_no_field(name) else name), depth - 1)


def _named(record: Mapping[str, object]) -> str:
    """The field that a record of one error is about; of JSON:API the last step of a pointer."""
    source = record.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    if isinstance(pointer, str):
        return pointer.rpartition("/")[2]
    return next((name for key in _FIELD if isinstance(name := record.get(key), str)), "")


def _is_no_field(name: str) -> bool:
    return name in _NO_FIELD or name.isdigit()  # A list of PHP may come as a map with its numbers.
