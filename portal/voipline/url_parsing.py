"""Taking apart the request URL that an operator copies from the partner portal."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus, urlsplit

from portal.voipline.messages import Words
from portal.voipline.urls import origin

_QUOTES = " \t\r\n\f\v\u00a0'\"`<>\u201c\u201d\u2018\u2019\u00ab\u00bb"
_VERB = re.compile(r"(?:GET|PUT|POST)\s+", re.IGNORECASE)
_URL = re.compile(r"(?i:https?)://[^\s/?#\\]+(?:/[^\s?#\\]*)?(?P<query>\?[^#]*)?(?:#.*)?", re.DOTALL)
_PLAIN = re.compile(r"[a-z]{1,12}|[a-z]{1,4}[0-9]|[0-9]{1,2}", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class PastedUrl:
    """`host` with its port where one was given; `names` of the query in order, without example values."""

    scheme: str
    host: str
    path: str
    names: tuple[str, ...]


def split_url(text: str) -> PastedUrl:
    """Scheme, host, path and query names of a pasted URL; ValueError in plain words if it is none.

    Quotation marks and spaces around it and a leading "GET " are ignored. Example values are dropped, since
    they may be a real customer's.
    """
    bare, query = _bare_and_query(text)
    scheme, _, _ = _checked_origin(bare)
    parts = urlsplit(bare)
    return PastedUrl(scheme, parts.netloc.lower(), parts.path, _names(query))


def plain_values(text: str) -> dict[str, str]:
    """Query values of a pasted URL that are short plain words, such as format=json; ValueError as above.

    Whatever might be a key, a token, an account number or an address is not among them.
    """
    _, query = _bare_and_query(text)
    pairs = [item.partition("=") for item in query.split("&")]
    found = {unquote_plus(name).strip(): unquote_plus(value) for name, _, value in pairs}
    return {name: value for name, value in found.items() if name and _PLAIN.fullmatch(value)}


def _bare_and_query(text: str) -> tuple[str, str]:
    url = _VERB.sub("", text.strip(_QUOTES), count=1).strip(_QUOTES)
    match = _URL.fullmatch(url)
    if not match:
        raise ValueError(
            Words("Paste the whole address as the partner portal shows it; it begins with https://")
        )
    bare = url[: match.start("query")] if match["query"] else url
    return bare, (match["query"] or "?")[1:]


def _checked_origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        found = origin(url)
    except ValueError:
        raise ValueError(Words("The address has no proper host name or port")) from None
    if "@" in parts.netloc:
        raise ValueError(Words("The address must hold no user name or password"))
    return found


def _names(query: str) -> tuple[str, ...]:
    found = [unquote_plus(item.partition("=")[0]).strip() for item in query.split("&")]
    if any(_CONTROL.search(name) for name in found):
        raise ValueError(Words("A name after the ? holds a control character"))
    return tuple(dict.fromkeys(name for name in found if name))
