"""From a URL that an operator pasted to the names a brand's method is called with.

The pasted text may hold the real key, a customer's number or a token. None of it is kept: only the path, the
names, and those constants that the operator chose.
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
class Proposal:
    """What a pasted URL says. `method` is "" where the path does not tell; then there are no `matches`.

    `path` as it would be stored; `plain`: name → value for those values that may be shown.
    """

    method: str
    path: str
    matches: tuple[Match, ...]
    plain: Mapping[str, str]


def suggest_names(*, brand: Brand, text: str, method: str = "") -> Proposal:
    """Read a pasted URL for a brand. Raises ValueError in words for an operator; they repeat no value."""
    url = split_url(text)
    _must_be_the_brands(brand, url)
    path = relative_path(brand.carrier_url, url.path)
    key = method or guess_method(path)
    if not key:
        return Proposal("", path, (), {})
    applies = brand.method(key)
    matches = tuple(match_names(applies, url.names))
    # What stands for one of ours is somebody's; what else looks plain may be a constant.
    open_names = {match.name for match in matches if match.how == "unmatched"}
    plain = {name: value for name, value in plain_values(text).items() if name in open_names}
    return Proposal(key, with_placeholder(path, applies), matches, plain)


def _must_be_the_brands(brand: Brand, url: PastedUrl) -> None:
    if origin(f"{url.scheme}://{url.host}") != origin(brand.carrier_url):
        words = gettext(
            "This address is on %(host)s, and the brand's API address is elsewhere. "
            "Change the API address first, or paste the URL of this brand's carrier."
        )
        raise ValueError(words % {"host": url.host})
    if not url.path.strip("/"):
        raise ValueError(gettext("The address has no path, so it names no method."))
    _must_not_hold_the_key(brand, (url.path, *url.names))


def _must_not_hold_the_key(brand: Brand, parts: Iterable[str]) -> None:
    key = _key(brand)
    if key and any(key in unquote(part) for part in parts):
        raise ValueError(
            gettext(
                "The path or a name in this address holds your API key, which travels in a header alone. "
                "Paste the address without it."
            )
        )


def _key(brand: Brand) -> str:
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
    """Store a path, `names` (ours → theirs), what is not sent any more, and constants (added to those kept).

    Whatever else the brand's override says stays. Raises ValidationError as the brand's page does.
    """
    override = brand.overrides.filter(method=method).first() or MethodOverride(brand=brand, method=method)
    override.path = "" if path == METHODS[method].path else path
    given = {**override.parameters, **dict.fromkeys(dropped, ""), **names}
    override.parameters = _differing(method, path, given, names)
    override.constants = {**override.constants, **(constants or {})}
    override.full_clean()
    _must_stay_at_the_carrier(brand, path, {*names.values(), *(constants or {})})
    _no_constant_may_hold_the_key(brand, constants or {})
    override.save()
    return override


def _differing(method: str, path: str, given: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Only what is not the default. An account number in the path is sent twice only where both were seen."""
    default = METHODS[method].parameters
    kept = {ours: theirs for ours, theirs in given.items() if default.get(ours, "") != theirs}
    if PLACEHOLDER in path:
        kept.pop("account_number", None)
        kept |= {ours: theirs for ours, theirs in names.items() if ours == "account_number"}
    return kept


def _must_stay_at_the_carrier(brand: Brand, path: str, names: Iterable[str]) -> None:
    try:
        address(brand.carrier_url, path, "0")
        _must_not_hold_the_key(brand, (path, *names))  # As in a pasted URL: both may be typed anew.
    except ValueError as error:
        raise ValidationError({"path": translate(error)}) from error


def _no_constant_may_hold_the_key(brand: Brand, constants: Mapping[str, str]) -> None:
    key = _key(brand)
    if key and any(key in value for value in constants.values()):
        words = gettext("A constant holds your API key, which travels in a header alone. Leave it out.")
        raise ValidationError({"constants": words})
