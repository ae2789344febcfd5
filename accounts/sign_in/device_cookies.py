"""Browsers that have signed in with an address before, so that no stranger can lock them out.

Anybody may ask for codes for any address, and so use up its limits. A browser that has proved an address
gets a signed cookie (OWASP: device cookie); when it asks for that address again, it is counted apart from
strangers. The cookie opens nothing. For each address it holds a keyed hash of brand and address, a random
name by which the browser is counted, and a mark of what sessions are bound to: signing out everywhere makes
it worthless too. The name stays when the browser signs in again, or each sign-in would bring new limits.
"""

import secrets
from dataclasses import dataclass

from django.core import signing
from django.utils.crypto import constant_time_compare

from accounts.models import User, with_email
from portal.core.email_addresses import email_key
from portal.models import Brand
from portal.security.crypto import keyed_hash

LIFETIME = 365 * 24 * 3600  # Seconds.
_MOST = 5  # Addresses in one browser; the one that signed in longest ago goes first.
_SALT = "accounts.devices"

Entry = tuple[str, str, str]  # Hash of the address, name, mark.


@dataclass(frozen=True)
class Visitor:
    """Who sends a form for an address, as limits and codes know them.

    `network` is the client's, `browser` a secret of its session, `device` what `find_device` gave.
    """

    network: str
    browser: str
    device: str


def find_device(*, brand: Brand | None, email: str, cookie: str) -> str:
    """The name of the browser with this cookie, if it has signed in with this address; else empty.

    The brand is None in the admin.
    """
    address = _address(brand.pk if brand else None, email)
    name, mark = next(((name, mark) for at, name, mark in _entries(cookie) if at == address), ("", ""))
    if not name:
        return ""
    user = User.objects.filter(with_email(email), brand=brand, is_active=True).first()
    return name if user and constant_time_compare(mark, _password_fingerprint(name, user)) else ""


def add_device(*, user: User, cookie: str) -> str:
    """The cookie once more, with an entry for who has just proved their address."""
    address, entries = _address(user.brand_id, user.email), _entries(cookie)
    name = next((name for at, name, _mark in entries if at == address), "") or secrets.token_urlsafe(16)
    others = [entry for entry in entries if entry[0] != address]
    return signing.dumps([(address, name, _password_fingerprint(name, user)), *others][:_MOST], salt=_SALT)


def _entries(cookie: str) -> list[Entry]:
    """What a cookie of ours holds, the newest first; nothing in one that we did not sign."""
    try:
        return [tuple(entry) for entry in signing.loads(cookie, salt=_SALT, max_age=LIFETIME)]
    except signing.BadSignature:
        return []


def _address(brand: int | None, email: str) -> str:
    return keyed_hash("device", brand or "admin", email_key(email))[:32]


def _password_fingerprint(name: str, user: User) -> str:
    return keyed_hash("device-mark", name, user.password)[:32]
