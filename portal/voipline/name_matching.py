"""Which of our methods and names a partner portal means by its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from portal.voipline.methods import METHODS, PLACEHOLDER, Method

How = Literal["exact", "guessed", "constant", "key", "unmatched"]

# Seen in billing APIs; compared in lower case and without anything but letters and digits.
_ALSO_CALLED: Mapping[str, str] = {
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
_KEYS = frozenset(["token", "key", "apikey", "apitoken", "secret", "accesstoken", "authorization", "auth"])


@dataclass(frozen=True)
class Match:
    """A name of theirs, ours where one is meant ("" otherwise), and how that was found.

    "constant": sent as it is already. "key": looks like the API key, which travels in a header.
    """

    name: str
    ours: str
    how: How


def guess_method(path: str) -> str:
    """The key of the method whose default path this ends with, or shares most words with; "" if unclear."""
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
    """What each name of a pasted URL is for us, in their order; each of ours is given out once.

    `method` is the one that applies now, so that what an operator mapped before counts as exact.
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
    if plain in _KEYS:
        return Match(name, "", "key")
    if candidate := our_name(name, sorted(method.available - taken)):
        taken.add(candidate)
        return Match(name, candidate, "guessed")
    return Match(name, "", "unmatched")


def our_name(name: str, candidates: Iterable[str]) -> str:
    """Which of these names of ours is meant by one of theirs, however it is spelled; "" for none."""
    plain = _plain(name)
    meant = (
        ours for ours in candidates if plain == _plain(ours) or plain in _ALSO_CALLED.get(ours, "").split()
    )
    return next(meant, "") if plain else ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def with_placeholder(path: str, method: Method) -> str:
    """The path with the placeholder where it shows one account number, or a placeholder of theirs."""
    if "account_number" not in method.available:
        return path
    steps = path.split("/")
    found = [n for n, step in enumerate(steps) if re.fullmatch(r"[0-9]{3,}|\{.*\}|<.*>|:\w+", step)]
    if len(found) != 1:
        return path
    return "/".join([*steps[: found[0]], PLACEHOLDER, *steps[found[0] + 1 :]])


def relative_path(base: str, path: str) -> str:
    """A path from the host's root, shortened where it continues the carrier's URL `base`."""
    prefix = f"{urlsplit(base).path.rstrip('/')}/"
    rest = path.removeprefix(prefix)
    return rest if rest and not rest.startswith("/") else path
