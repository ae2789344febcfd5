"""Match the paths and names of a partner portal with our methods and names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from portal.voipline.methods import METHODS, PLACEHOLDER, Method

How = Literal["exact", "guessed", "constant", "key", "unmatched"]

# Names used by billing APIs; compared in lower case, with letters and digits only.
_SYNONYMS: Mapping[str, str] = {
    "account_number": "account accountno accno acc accountid customernumber customerno customerid customer",
    "from_date": "from start startdate datefrom begin begindate initialdate since periodstart",
    "to_date": "to end enddate dateto until till finaldate periodend",
    "amount": "sum value credit credits funds money",
    "description": "note notes comment reason memo text details",
    "first_name": "firstname fname givenname forename first",
    "last_name": "lastname lname surname familyname last",
    "company_name": "company companyname organisation organization business businessname",
    "email": "mail emailaddress useremail customeremail username login",
    "phone": "tel telephone mobile phonenumber contactnumber contactphone",
    "password": "pass passwd pwd userpassword",
    "google_captcha": "captcha recaptcha grecaptcharesponse captchatoken googlerecaptcha recaptchatoken",
    "code": "confirmationcode verificationcode confirmcode activationcode otp pin",
}
_API_KEY_NAMES = frozenset(
    ["token", "key", "apikey", "apitoken", "secret", "accesstoken", "authorization", "auth"]
)


@dataclass(frozen=True)
class Match:
    """A name of the carrier's, our name for it ("" if none), and how it was found.

    "constant": already sent as a constant. "key": looks like the API key, which is sent in a header.
    """

    name: str
    ours: str
    how: How


def guess_method(path: str) -> str:
    """Return the key of the method whose default path ends the path or shares most words; "" if unclear."""
    for method in METHODS.values():
        if f"/{path.strip('/')}".endswith(f"/{method.path}"):
            return method.key
    words = _words(path)
    shared = {key: len(words & _words(f"{key} {method.path}")) for key, method in METHODS.items()}
    best = max(shared.values())
    keys = [key for key, count in shared.items() if count == best]
    return keys[0] if best and len(keys) == 1 else ""


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower())) - {"get", "api", "integration", "v"}


def match_names(method: Method, names: Iterable[str]) -> list[Match]:
    """Match each name of a pasted URL with one of ours, in order. Each of ours is used once.

    `method` is the current one, so that a name that an operator mapped before counts as exact.
    """
    names = list(names)
    ours_of = {theirs: ours for ours, theirs in method.parameters.items()}
    exact = {name: ours_of.get(name, name if name in method.available else "") for name in names}
    taken = set(exact.values())
    return [_match(method, name, exact[name], taken) for name in names]


def _match(method: Method, name: str, ours: str, taken: set[str]) -> Match:
    if ours:
        return Match(name, ours, "exact")
    if name in method.constants:
        return Match(name, "", "constant")
    plain = _plain(name)
    if plain in _API_KEY_NAMES:
        return Match(name, "", "key")
    if candidate := our_name(name, sorted(method.available - taken)):
        taken.add(candidate)
        return Match(name, candidate, "guessed")
    return Match(name, "", "unmatched")


def our_name(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate (one of our names) that their `name` means, in any spelling; "" if none."""
    plain = _plain(name)
    matches = (
        ours for ours in candidates if plain == _plain(ours) or plain in _SYNONYMS.get(ours, "").split()
    )
    return next(matches, "") if plain else ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def with_placeholder(path: str, method: Method) -> str:
    """Return the path with our placeholder in place of its one account number or placeholder, if any."""
    if "account_number" not in method.available:
        return path
    steps = path.split("/")
    indexes = [n for n, step in enumerate(steps) if re.fullmatch(r"[0-9]{3,}|\{.*\}|<.*>|:\w+", step)]
    if len(indexes) != 1:
        return path
    return "/".join([*steps[: indexes[0]], PLACEHOLDER, *steps[indexes[0] + 1 :]])


def relative_path(base: str, path: str) -> str:
    """Return a path from the host's root relative to the carrier's URL `base`, if it is below that."""
    prefix = f"{urlsplit(base).path.rstrip('/')}/"
    rest = path.removeprefix(prefix)
    return rest if rest and not rest.startswith("/") else path
