"""Import the path and names of a method from a request URL that an operator pastes.

The pasted text may contain the real key, a customer's number or a token. Only the path, the names and the
constants that the operator chose are stored.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from portal.i18n.translation import translate
from portal.models import Brand, MethodOverride
from portal.security.crypto import SecretUnreadable
from portal.voipline import (
    METHODS,
    Match,
    PastedUrl,
    guess_method,
    match_names,
    plain_values,
    relative_path,
    split_url,
    with_placeholder,
)
from portal.voipline.methods import PLACEHOLDER
from portal.voipline.urls import address, origin


@dataclass(frozen=True)
class ParsedUrl:
    """The content of a pasted URL. `method` is "" if the path is unclear; then there are no `matches`.

    `path` as it would be stored; `plain`: name → value for those values that may be shown.
    """

    method: str
    path: str
    matches: tuple[Match, ...]
    plain: Mapping[str, str]


def suggest_names(*, brand: Brand, text: str, method: str = "") -> ParsedUrl:
    """Read a pasted URL for a brand. Raise ValueError with a message for operators that repeats no value."""
    url = split_url(text)
    _require_brands_carrier(brand, url)
    path = relative_path(brand.carrier_url, url.path)
    key = method or guess_method(path)
    if not key:
        return ParsedUrl("", path, (), {})
    current = brand.method(key)
    matches = tuple(match_names(current, url.names))
    # The value of one of our parameters is a customer's. Other plain values may be constants.
    unmatched = {match.name for match in matches if match.how == "unmatched"}
    plain = {name: value for name, value in plain_values(text).items() if name in unmatched}
    return ParsedUrl(key, with_placeholder(path, current), matches, plain)


def _require_brands_carrier(brand: Brand, url: PastedUrl) -> None:
    if origin(f"{url.scheme}://{url.host}") != origin(brand.carrier_url):
        words = gettext(
            "This address is on %(host)s, and the brand's API address is elsewhere. "
            "Change the API address first, or paste the URL of this brand's carrier."
        )
        raise ValueError(words % {"host": url.host})
    if not url.path.strip("/"):
        raise ValueError(gettext("The address has no path, so it names no method."))
    _reject_api_key(brand, (url.path, *url.names))


def _reject_api_key(brand: Brand, parts: Iterable[str]) -> None:
    key = _get_api_key(brand)
    if key and any(key in unquote(part) for part in parts):
        raise ValueError(
            gettext(
                "The path or a name in this address holds your API key, which travels in a header alone. "
                "Paste the address without it."
            )
        )


def _get_api_key(brand: Brand) -> str:
    try:
        return brand.reveal("carrier_key")
    except SecretUnreadable:
        return ""


def save_override(
    *,
    brand: Brand,
    method: str,
    path: str,
    names: Mapping[str, str],
    dropped: Collection[str] = (),
    constants: Mapping[str, str] | None = None,
) -> MethodOverride:
    """Store a path, `names` (ours → theirs), names no longer sent, and constants (added to the stored ones).

    Everything else in the brand's override stays. Raise ValidationError as the brand's page does.
    """
    override = brand.overrides.filter(method=method).first() or MethodOverride(brand=brand, method=method)
    override.path = "" if path == METHODS[method].path else path
    parameters = {**override.parameters, **dict.fromkeys(dropped, ""), **names}
    override.parameters = _without_defaults(method, path, parameters, names)
    override.constants = {**override.constants, **(constants or {})}
    override.full_clean()
    _require_valid_path(brand, path, {*names.values(), *(constants or {})})
    _reject_api_key_in_constants(brand, constants or {})
    override.save()
    return override


def _without_defaults(
    method: str, path: str, parameters: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters that differ from the default.

    An account number in the path is sent as a parameter too only if the pasted URL had both.
    """
    default = METHODS[method].parameters
    changed = {ours: theirs for ours, theirs in parameters.items() if default.get(ours, "") != theirs}
    if PLACEHOLDER in path:
        changed.pop("account_number", None)
        changed |= {ours: theirs for ours, theirs in names.items() if ours == "account_number"}
    return changed


def _require_valid_path(brand: Brand, path: str, names: Iterable[str]) -> None:
    try:
        address(brand.carrier_url, path, "0")
        _reject_api_key(brand, (path, *names))  # Again, since the operator may have changed both.
    except ValueError as error:
        raise ValidationError({"path": translate(error)}) from error


def _reject_api_key_in_constants(brand: Brand, constants: Mapping[str, str]) -> None:
    key = _get_api_key(brand)
    if key and any(key in value for value in constants.values()):
        words = gettext("A constant holds your API key, which travels in a header alone. Leave it out.")
        raise ValidationError({"constants": words})
