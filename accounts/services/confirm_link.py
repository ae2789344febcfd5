"""The link in the carrier's confirmation mail, as mail programmes leave it."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

_NAMES = ("email", "code")
_NEXT = re.compile(r"&(?:amp;)*(?=(?:email|code)=)")
_ESCAPED = re.compile(r"^(?:amp;)+")
_LONGEST = 254


def parse_confirm_link(query: Mapping[str, str]) -> dict[str, str]:
    """`email` and `code` of a link's query, as far as they are there.

    A `+` that was not escaped came as a blank, which no address and no code holds; an `&` may have become
    `&amp;` or a part of the value before it.
    """
    ours = [(_ESCAPED.sub("", name), value) for name, value in query.items()]
    whole = "".join(f"&{name}={value}" for name, value in ours if name in _NAMES)
    pairs = dict(part.split("=", 1) for part in _NEXT.split(whole) if part)
    if "@" not in pairs.get("email", "@"):  # Escaped twice.
        pairs["email"] = unquote(pairs["email"])
    return {name: value.strip().replace(" ", "+")[:_LONGEST] for name, value in pairs.items()}
