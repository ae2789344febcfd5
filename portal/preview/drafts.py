"""Store a brand's unsaved look for a preview, available through a signed link for seven days.

The link is a capability: it shows sample pages in that look, and nothing else.
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
    "top_up_url",
    "how_to_pay",
    "signup_open",
)
# Form fields that a preview uses; all others are ignored.
FIELDS = (*LOOK, "logo_file", "remove_logo")
_SALT = "portal.preview"

Logo = tuple[bytes, str, str]
NO_LOGO: Logo = (b"", "", "")


class PreviewGone(Exception):
    """The link is invalid or older than seven days, or its draft is deleted."""


def look_from_form(form: ModelForm) -> tuple[dict[str, Any], list[dict[str, str]]]:  # type: ignore[type-arg]
    """Return (look, problems) of a brand's form. Its other fields are ignored.

    Empty fields get placeholders, so that a brand can be previewed before it is complete. A problem has the
    keys `field`, `label` and `text`.
    """
    problems = [
        {"field": name, "label": str(form.fields[name].label), "text": text}
        for name, errors in form.errors.as_data().items()
        if name in FIELDS
        for error in errors
        if error.code != "required"
        for text in error.messages
    ]
    values = {name: form.cleaned_data[name] for name in LOOK if name in form.cleaned_data}
    return {**_placeholders(), **values}, problems


def _placeholders() -> dict[str, Any]:
    blank = Brand()
    return {
        **{name: getattr(blank, name) for name in LOOK},
        "name": _("Name of the brand"),
        "currency": Brand.CURRENCIES[0],
        "timezone": "UTC",
        "support_email": "support@example.com",
    }


def logo_from_form(form: ModelForm, brand: Brand | None) -> Logo:  # type: ignore[type-arg]
    """Return the logo of a valid form: the uploaded file (encoded again), none, or the stored one."""
    if upload := form.cleaned_data.get("logo_file"):
        upload.seek(0)
        return read_logo(upload.read())
    if form.cleaned_data.get("remove_logo") or brand is None:
        return NO_LOGO
    return bytes(brand.logo), brand.logo_type, brand.logo_hash


def save_preview(
    *, brand: Brand | None, look: Mapping[str, Any], logo: Logo, previous_token: str, keep: bool
) -> str:
    """Store a look and return the token of its link. Delete expired drafts.

    `previous_token`: the token of a draft of the same brand to overwrite, or "". `keep`: never overwrite.
    """
    BrandPreview.objects.filter(made_at__lt=timezone.now() - LIFETIME).delete()
    draft = BrandPreview() if keep else _load_previous(brand, previous_token) or BrandPreview()
    draft.brand_id = brand.pk if brand else None
    draft.look, draft.kept, draft.made_at = dict(look), keep, timezone.now()
    draft.logo, draft.logo_type, draft.logo_hash = logo
    draft.save()
    return signing.dumps(draft.pk, salt=_SALT)


def _load_previous(brand: Brand | None, token: str) -> BrandPreview | None:
    try:
        draft = load_preview(token=token)
    except PreviewGone:
        return None
    return draft if draft.brand_id == (brand.pk if brand else None) and not draft.kept else None


def load_preview(*, token: str) -> BrandPreview:
    """Return the draft of a link. Raise PreviewGone."""
    try:
        pk = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature as error:
        raise PreviewGone from error
    draft = BrandPreview.objects.filter(pk=pk).first()
    if draft is None:
        raise PreviewGone
    return draft


def build_preview_brand(draft: BrandPreview) -> Brand:
    """Return the brand with the draft's look, without host, key or carrier. It must not be saved."""
    return Brand(
        pk=draft.brand_id or 0,  # Relations can be queried only with a key; 0 belongs to no brand.
        changed_at=draft.made_at,
        **{name: draft.look[name] for name in LOOK if name in draft.look},
        logo=bytes(draft.logo),
        logo_type=draft.logo_type,
        logo_hash=draft.logo_hash,
        recaptcha_site_key="preview",
    )
