"""Parse the request URL that an operator copies from the partner portal."""

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
    """A pasted URL. `host` includes a port if given; `names` are the query's names in order."""

    scheme: str
    host: str
    path: str
    names: tuple[str, ...]


def split_url(text: str) -> PastedUrl:
    """Split a pasted URL into scheme, host, path and query names. Raise ValueError with a readable message.

    Quotation marks and spaces around it and a leading "GET " are ignored. Example values are dropped, since
    they may be a real customer's.
    """
    without_query, query = _split_query(text)
    scheme, _, _ = _check_origin(without_query)
    parts = urlsplit(without_query)
    return PastedUrl(scheme, parts.netloc.lower(), parts.path, _names(query))


def plain_values(text: str) -> dict[str, str]:
    """Return the query values that are short plain words, such as format=json. Raise ValueError as above.

    Values that might be a key, a token, an account number or an address are left out.
    """
    _, query = _split_query(text)
    pairs = [item.partition("=") for item in query.split("&")]
    values = {unquote_plus(name).strip(): unquote_plus(value) for name, _, value in pairs}
    return {name: value for name, value in values.items() if name and _PLAIN.fullmatch(value)}


def _split_query(text: str) -> tuple[str, str]:
    url = _VERB.sub("", text.strip(_QUOTES), count=1).strip(_QUOTES)
    match = _URL.fullmatch(url)
    if not match:
        raise ValueError(
            Words("Paste the whole address as the partner portal shows it. It begins with https://")
        )
    without_query = url[: match.start("query")] if match["query"] else url
    return without_query, (match["query"] or "?")[1:]


def _check_origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        result = origin(url)
    except ValueError:
        raise ValueError(Words("The address has no proper host name or port")) from None
    if "@" in parts.netloc:
        raise ValueError(Words("The address must hold no user name or password"))
    return result


def _names(query: str) -> tuple[str, ...]:
    names = [unquote_plus(item.partition("=")[0]).strip() for item in query.split("&")]
    if any(_CONTROL.search(name) for name in names):
        raise ValueError(Words("A name after the ? holds a control character"))
    return tuple(dict.fromkeys(name for name in names if name))
