"""Showing the key of an authenticator app that is being set up: as a picture to scan, and as text to type."""

import io
from contextlib import suppress
from urllib.parse import quote, urlencode

import segno
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from accounts import authenticator
from accounts.models import User
from accounts.staff_forms import EnrolForm
from accounts.views.staff_pages import staff_page
from portal.crypto import Sealed, SecretUnreadable, Unprinted

_GROUP = 4


def key_waiting(request: HttpRequest) -> Sealed:
    """The key that this session is setting up, encrypted; a new one where there is none yet."""
    kept = Sealed(request.session.get("staff_key", ""))
    with suppress(SecretUnreadable):
        if kept.reveal():
            return kept
    key = authenticator.key_new()
    request.session["staff_key"] = key.stored
    return key


def setup_page(request: HttpRequest, name: str, user: User, key: Sealed, form: EnrolForm) -> HttpResponse:
    """The page with the key; it is shown until a code of the app has been typed, and never again."""
    text = key.reveal()
    context = {
        "form": form,
        "person": user,
        "pictures": Unprinted([_picture(_address(request, user, text))]),
        "groups": Unprinted(text[at : at + _GROUP] for at in range(0, len(text), _GROUP)),
    }
    return staff_page(request, name, _("Set up your authenticator app"), context)


def _address(request: HttpRequest, user: User, key: str) -> str:
    """What the app reads (Key URI Format): the host tells one installation from another in its list."""
    host = request.get_host().partition(":")[0]
    query = {"secret": key, "issuer": host, "algorithm": "SHA1", "digits": 6, "period": authenticator.STEP}
    return f"otpauth://totp/{quote(host)}:{quote(user.email)}?{urlencode(query)}"


def _picture(text: str) -> SafeString:
    """A QR code as inline SVG, black on white in any colour scheme, without style: the policy forbids it."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        svgclass="qr",
        lineclass="",
        light="#fff",
        border=4,
        nl=False,
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308 - segno's own markup, made of black and white alone
