"""Previews: a brand's unsaved look behind a signed link, for seven days.

A link is a capability: whoever holds it sees sample pages in that look, and nothing else.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core import signing
from django.forms import ModelForm
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.brands.logo import read_logo
from portal.models import Brand, BrandPreview

LIFETIME = timedelta(days=7)
LOOK = (
    "name",
    "currency",
    "timezone",
    "language",
    "accent",
    "support_email",
    "support_phone",
    "terms_url",
    "privacy_url",
    "signup_open",
)
# What the form must send for a preview; all else it sends is left alone.
FIELDS = (*LOOK, "logo_file", "remove_logo")
_SALT = "portal.preview"

Logo = tuple[bytes, str, str]
NO_LOGO: Logo = (b"", "", "")


class PreviewGone(Exception):
    """The link was not made here, is older than seven days, or its draft is no more."""


def look_from_form(form: ModelForm) -> tuple[dict[str, Any], list[dict[str, str]]]:  # type: ignore[type-arg]
    """(look, problems) of a brand's form, however the rest of it is filled.

    What is still empty gets a stand-in: a brand can be seen before it is complete. A problem is `field`,
    `label` and `text`.
    """
    problems = [
        {"field": name, "label": str(form.fields[name].label), "text": text}
        for name, errors in form.errors.as_data().items()
        if name in FIELDS
        for error in errors
        if error.code != "required"
        for text in error.messages
    ]
    typed = {name: form.cleaned_data[name] for name in LOOK if name in form.cleaned_data}
    return {**_stand_ins(), **typed}, problems


def _stand_ins() -> dict[str, Any]:
    blank = Brand()
    return {
        **{name: getattr(blank, name) for name in LOOK},
        "name": _("Name of the brand"),
        "currency": Brand.CURRENCIES[0],
        "timezone": "UTC",
        "support_email": "support@example.com",
    }


def logo_from_form(form: ModelForm, brand: Brand | None) -> Logo:  # type: ignore[type-arg]
    """The logo of a form without problems: the chosen file, written anew; none; or the stored one."""
    if upload := form.cleaned_data.get("logo_file"):
        upload.seek(0)
        return read_logo(upload.read())
    if form.cleaned_data.get("remove_logo") or brand is None:
        return NO_LOGO
    return bytes(brand.logo), brand.logo_type, brand.logo_hash


def save_preview(*, brand: Brand | None, look: Mapping[str, Any], logo: Logo, again: str, keep: bool) -> str:
    """Store a look and return the token of its link; drafts that no link can open any more are removed.

    `again`: the token of a draft of the same brand that is to follow; empty for the first.
    """
    BrandPreview.objects.filter(made_at__lt=timezone.now() - LIFETIME).delete()
    draft = BrandPreview() if keep else _followed(brand, again) or BrandPreview()
    draft.brand_id = brand.pk if brand else None
    draft.look, draft.kept, draft.made_at = dict(look), keep, timezone.now()
    draft.logo, draft.logo_type, draft.logo_hash = logo
    draft.save()
    return signing.dumps(draft.pk, salt=_SALT)


def _followed(brand: Brand | None, again: str) -> BrandPreview | None:
    try:
        found = load_preview(token=again)
    except PreviewGone:
        return None
    return found if found.brand_id == (brand.pk if brand else None) and not found.kept else None


def load_preview(*, token: str) -> BrandPreview:
    """The draft behind a link. Raises PreviewGone."""
    try:
        pk = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature as error:
        raise PreviewGone from error
    draft = BrandPreview.objects.filter(pk=pk).first()
    if draft is None:
        raise PreviewGone
    return draft


def build_preview_brand(draft: BrandPreview) -> Brand:
    """The brand as it would be, without host, key or carrier; never to be saved."""
    return Brand(
        pk=draft.brand_id or 0,  # So that relations can be asked: 0 is nobody's.
        changed_at=draft.made_at,
        **{name: draft.look[name] for name in LOOK if name in draft.look},
        logo=bytes(draft.logo),
        logo_type=draft.logo_type,
        logo_hash=draft.logo_hash,
        recaptcha_site_key="preview",
    )
