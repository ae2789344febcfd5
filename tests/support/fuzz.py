"""Values and bodies that no browser sends, and the form fields of a page."""

import os
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from django.test import Client

MARKUP = '"><script>canary()</script>'
ALL = bool(os.environ.get("FUZZ_EXAMPLES"))  # Otherwise a selection of the values and bodies for each URL.
VALUES = (
    "",
    "\x00",
    "a\x00b@example.com",
    MARKUP,
    "a\r\nX-Canary: 1\r\n\r\nbody",
    "\u202egpj.exe\u0301\u0301\u200b\ufeff",
    "é" * 1_000,
    "é" * 100_000,  # As long as a form may be.
    "a" * 1_000_000,
    "-1",
    "9" * 40,
    "1e999999999",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "'; DROP TABLE accounts_user; --",
    "{{ 7|add:7 }}%(name)s{0}",
)
# Tried in each run: among others NUL, long non-ASCII text, and a field of 1 MB.
SHORT = (
    MARKUP,
    "a\x00b@example.com",
    "é" * 1_000,
    "a" * 1_000_000,
    "\u202egpj.exe\u0301\u0301\u200b\ufeff",
    "9" * 40,
    "2026-02-30",
)
VALUES = VALUES if ALL else SHORT
BODIES = (
    (b"\xff\xfe=\xed\xa0\x80&email=%ED%A0%80%00%FF", "application/x-www-form-urlencoded"),
    (b"email=a@example.com", "application/x-www-form-urlencoded; charset=utf-7"),
    (b"email=a@example.com", "application/x-www-form-urlencoded; charset=no-such-charset"),
    (b"&".join(b"f%d=1" % nth for nth in range(2000)), "application/x-www-form-urlencoded"),
    (b"email=a@example.com&email=b@example.com&email[]=c&email[0]=d", "application/x-www-form-urlencoded"),
    (b'{"email": "a@example.com"}', "application/json"),
    (b"anything", "multipart/form-data"),
    (b"anything", "multipart/form-data; boundary="),
    (b"anything", "multipart/form-data; boundary=\xc3\xa9"),
    (b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\na@exam', "multipart/form-data; boundary=b"),
    (
        b"--b\r\nContent-Disposition: form-data; name=\r\n\r\na\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    (b"--b\r\n" + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\na\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    (
        b"--b\r\nContent-Disposition: form-data; name=f\r\n\r\na\r\n" * 2000 + b"--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    (b"", ""),
)
BODIES = BODIES if ALL else BODIES[::2]

_LONG = 10_000
_NOT_FIELDS = {"csrfmiddlewaretoken", "viewport", "color-scheme", "description"}  # Names of <meta> elements.


def text_of(answer: Any) -> str:
    """Return the text of a response, streamed or not."""
    content = b"".join(answer) if answer.streaming else answer.content
    return content.decode("utf-8", "replace")


def fields_in(page: str) -> list[str]:
    """Return the names of the fields of all forms on a page."""
    return sorted(set(re.findall(r' name="([^"]+)"', page)) - _NOT_FIELDS)


def _hidden_in(page: str) -> dict[str, str]:
    tags = re.findall(r'<input[^>]*type="hidden"[^>]*>', page)
    pairs = [(re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: unescape(value[1]) for name, value in pairs if name and value}


def forms_in(page: str, path: str) -> list[tuple[list[str], dict[str, str]]]:
    """Return the fields of each form sent to the page's own URL, and the values of its hidden fields.

    Those determine how many rows a form has, or which of several forms it is.
    """
    found = re.findall(r'<form\b([^>]*method="post"[^>]*)>(.*?)</form>', page, re.DOTALL)
    same_url = [form for tag, form in found if " action=" not in tag or f' action="{path}"' in tag]
    return [(fields_in(form), _hidden_in(form)) for form in same_url]


def fields_of(client: Client, path: str) -> list[str]:
    """Return the fields of the page at a URL."""
    return fields_in(text_of(client.get(path)))


def hostile_forms(names: list[str], hidden: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield forms with each value in all visible fields, so that they parse; one value also in hidden ones.

    A value that would make the form too long goes into one field. With FUZZ_EXAMPLES each value is also
    tried in the hidden fields, and in each field alone.
    """
    for value in VALUES:
        single = names if ALL else names[:1] if len(value) > _LONG else []
        yield from ({**hidden, name: value} for name in single)
        if len(value) <= _LONG:
            yield {**dict.fromkeys(names, value), **hidden}
            if hidden and (ALL or value == MARKUP):
                yield dict.fromkeys([*names, *hidden], value)
