"""Page to set up an authenticator app: its key as a QR code and as text."""

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

_GROUP_LENGTH = 4
_QUIET_ZONE = 4  # White modules around the code, as the standard requires.


def get_pending_key(request: HttpRequest) -> EncryptedSecret:
    """Return the encrypted key that this session is setting up; create one if there is none."""
    stored_key = EncryptedSecret(request.session.get("staff_key", ""))
    with suppress(SecretUnreadable):
        if stored_key.reveal():
            return stored_key
    key = totp.generate_key()
    request.session["staff_key"] = key.stored
    return key


def render_setup_page(
    request: HttpRequest, name: str, user: User, key: EncryptedSecret, form: EnrolForm
) -> HttpResponse:
    """Render the page with the key. It is shown until a code of the app has been typed, and never again."""
    text = key.reveal()
    context = {
        "form": form,
        "person": user,
        "pictures": RedactedTuple([_qr_svg(_otpauth_url(request, user, text))]),
        "groups": RedactedTuple(text[at : at + _GROUP_LENGTH] for at in range(0, len(text), _GROUP_LENGTH)),
    }
    return render_staff_page(request, name, _("Set up your authenticator app"), context)


def _otpauth_url(request: HttpRequest, user: User, key: str) -> str:
    """Return the URI for the app (Key URI Format). The host identifies the installation in its list."""
    host = request.get_host().partition(":")[0]
    query = {"secret": key, "issuer": host, "algorithm": "SHA1", "digits": 6, "period": totp.STEP}
    return f"otpauth://totp/{quote(host)}:{quote(user.email)}?{urlencode(query)}"


def _qr_svg(text: str) -> SafeString:
    """Return a QR code as inline SVG, always black on white. No style attributes: the policy forbids them."""
    rows = segno.make(text, error="m", micro=False).matrix
    size = len(rows) + 2 * _QUIET_ZONE
    dark = "".join(_dark_rectangles(row, nth + _QUIET_ZONE) for nth, row in enumerate(rows))
    return format_html(
        '<svg viewBox="0 0 {0} {0}" class="qr" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{0}v{0}'
        'h-{0}z"/><path d="{1}"/></svg>',
        size,
        dark,
    )


def _dark_rectangles(row: Iterable[int], y: int) -> str:
    """Return the SVG path of a row's dark modules. Adjacent modules form one rectangle."""
    pieces, x = [], _QUIET_ZONE
    for dark, modules in groupby(row):
        width = len(list(modules))
        if dark:
            pieces.append(f"M{x} {y}h{width}v1h-{width}z")
        x += width
    return "".join(pieces)
