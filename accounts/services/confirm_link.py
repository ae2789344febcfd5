"""Parse the link of the carrier's confirmation email, as mail programs deliver it."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

_NAMES = ("email", "code")
_SEPARATOR = re.compile(r"&(?:amp;)*(?=(?:email|code)=)")
_LEADING_AMP = re.compile(r"^(?:amp;)+")
_MAX_LENGTH = 254


def parse_confirm_link(query: Mapping[str, str]) -> dict[str, str]:
    """Return `email` and `code` of a link's query, if present.

    Blanks become `+`: an unescaped `+` arrives as a blank, which no address or code contains. An `&` may have
    become `&amp;`, or part of the value before it.
    """
    ours = [(_LEADING_AMP.sub("", name), value) for name, value in query.items()]
    whole = "".join(f"&{name}={value}" for name, value in ours if name in _NAMES)
    pairs = dict(part.split("=", 1) for part in _SEPARATOR.split(whole) if part)
    if "@" not in pairs.get("email", "@"):  # It was escaped twice.
        pairs["email"] = unquote(pairs["email"])
    return {name: value.strip().replace(" ", "+")[:_MAX_LENGTH] for name, value in pairs.items()}
