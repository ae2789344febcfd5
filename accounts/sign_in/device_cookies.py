"""Device cookies (OWASP): browsers that signed in with an address before cannot be locked out by others.

Any visitor may request codes for any address, and so use up its limits. A browser that has verified an
address gets a signed cookie; when it requests that address again, it has its own limits. The cookie does
not sign in. For each address it has a keyed hash of brand and address, a random name under which the
browser is counted, and a fingerprint of the value that sessions are bound to, so signing out everywhere
invalidates it. The name stays the same when the browser signs in again; otherwise each sign-in would
reset the limits.
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
_MAX_ENTRIES = 5  # Addresses per browser; the oldest sign-in is dropped first.
_SALT = "accounts.devices"

Entry = tuple[str, str, str]  # Hash of the address, name, fingerprint.


@dataclass(frozen=True)
class Visitor:
    """Sender of a form, as limits and codes identify it.

    `network` is the client network, `browser` a secret of its session, `device` the result of `find_device`.
    `client` names browser and system for the reader of an email, each empty if unknown.
    """

    network: str
    browser: str
    device: str
    client: tuple[str, str] = ("", "")


def find_device(*, brand: Brand | None, email: str, cookie: str) -> str:
    """Return the name of the browser with this cookie, if it has signed in with this address; else empty.

    The brand is None in the admin.
    """
    address = _address(brand.pk if brand else None, email)
    name, fingerprint = next(
        ((name, fingerprint) for at, name, fingerprint in _entries(cookie) if at == address), ("", "")
    )
    if not name:
        return ""
    user = User.objects.filter(with_email(email), brand=brand, is_active=True).first()
    return name if user and constant_time_compare(fingerprint, _password_fingerprint(name, user)) else ""


def add_device(*, user: User, cookie: str) -> tuple[str, str]:
    """Return (cookie, name of the browser), with an entry for a user who has just verified their address."""
    address, entries = _address(user.brand_id, user.email), _entries(cookie)
    name = next((name for at, name, _fingerprint in entries if at == address), "") or secrets.token_urlsafe(
        16
    )
    others = [entry for entry in entries if entry[0] != address]
    new = (address, name, _password_fingerprint(name, user))
    return signing.dumps([new, *others][:_MAX_ENTRIES], salt=_SALT), name


def _entries(cookie: str) -> list[Entry]:
    """Return the entries of a cookie, the newest first; none if we did not sign it."""
    try:
        return [tuple(entry) for entry in signing.loads(cookie, salt=_SALT, max_age=LIFETIME)]
    except signing.BadSignature:
        return []


def _address(brand: int | None, email: str) -> str:
    return keyed_hash("device", brand or "admin", email_key(email))[:32]


def _password_fingerprint(name: str, user: User) -> str:
    return keyed_hash("device-mark", name, user.password)[:32]
