"""Showing the key of an authenticator app that is being set up: as a picture to scan, and as text to type."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from urllib.parse import quote, urlencode

import segno
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.staff import totp
from accounts.staff.forms import EnrolForm
from accounts.staff.views.base import render_staff_page
from portal.security.crypto import EncryptedSecret, RedactedTuple, SecretUnreadable

_GROUP = 4
_QUIET = 4  # Modules of white around the code, as the standard wants.


def get_pending_key(request: HttpRequest) -> EncryptedSecret:
    """The key that this session is setting up, encrypted; a new one where there is none yet."""
    kept = EncryptedSecret(request.session.get("staff_key", ""))
    with suppress(SecretUnreadable):
        if kept.reveal():
            return kept
    key = totp.generate_key()
    request.session["staff_key"] = key.stored
    return key


def render_setup_page(
    request: HttpRequest, name: str, user: User, key: EncryptedSecret, form: EnrolForm
) -> HttpResponse:
    """The page with the key; it is shown until a code of the app has been typed, and never again."""
    text = key.reveal()
    context = {
        "form": form,
        "person": user,
        "pictures": RedactedTuple([_picture(_address(request, user, text))]),
        "groups": RedactedTuple(text[at : at + _GROUP] for at in range(0, len(text), _GROUP)),
    }
    return render_staff_page(request, name, _("Set up your authenticator app"), context)


def _address(request: HttpRequest, user: User, key: str) -> str:
    """What the app reads (Key URI Format): the host tells one installation from another in its list."""
    host = request.get_host().partition(":")[0]
    query = {"secret": key, "issuer": host, "algorithm": "SHA1", "digits": 6, "period": totp.STEP}
    return f"otpauth://totp/{quote(host)}:{quote(user.email)}?{urlencode(query)}"


def _picture(text: str) -> SafeString:
    """A QR code as inline SVG, black on white in any colour scheme, without style: the policy forbids it."""
    rows = segno.make(text, error="m", micro=False).matrix
    size = len(rows) + 2 * _QUIET
    dark = "".join(_runs(row, nth + _QUIET) for nth, row in enumerate(rows))
    return format_html(
        '<svg viewBox="0 0 {0} {0}" class="qr" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{0}v{0}'
        'h-{0}z"/><path d="{1}"/></svg>',
        size,
        dark,
    )


def _runs(row: Iterable[int], y: int) -> str:
    """The dark modules of one row, neighbours as one rectangle."""
    pieces, x = [], _QUIET
    for dark, modules in groupby(row):
        width = len(list(modules))
        if dark:
            pieces.append(f"M{x} {y}h{width}v1h-{width}z")
        x += width
    return "".join(pieces)
