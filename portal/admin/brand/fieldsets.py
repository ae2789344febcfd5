"""Sections of a brand's page: fields and inlines in the order in which an operator fills them in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.models import BrandHost, MethodOverride, ResponseCode


@dataclass(frozen=True)
class Section:
    """One section: `anchor` in the page's URL, `fields` of the brand, and models of the inlines.

    Sections without `for_staff` are for operators only.
    """

    anchor: str
    title: Promise
    intro: Promise | str = ""
    fields: tuple[str, ...] = ()
    inlines: tuple[type, ...] = field(default=())
    for_staff: bool = False


SECTIONS = (
    Section(
        "look",
        _("Look"),
        _("What customers see on each page and in each email."),
        (
            *("name", "slug", "accent", "logo_preview", "logo_file", "remove_logo"),
            *("language", "timezone", "currency"),
        ),
        for_staff=True,
    ),
    Section("hosts", _("Hosts"), inlines=(BrandHost,), for_staff=True),
    Section(
        "contact",
        _("Contact and legal"),
        _("Who customers contact, who emails them, and what they agree to when they create an account."),
        ("support_email", "support_phone", "from_email", "terms_url", "privacy_url", "signup_open"),
        for_staff=True,
    ),
    Section(
        "paying",
        _("Paying"),
        _("Where customers are sent when their balance is low, and what a new account is."),
        ("account_type", "top_up_url", "how_to_pay"),
        for_staff=True,
    ),
    Section(
        "carrier",
        _("Carrier connection"),
        _(
            "The partner portal shows all of it on the tab Integrations/API. List this server's public IP"
            " address there too, with “Add IP”. To see that address, run this command on the server: curl"
            " -4 https://ifconfig.me"
        ),
        ("carrier_url", "carrier_key", "login_hosts"),
    ),
    Section(
        "captcha",
        _("Captcha"),
        _("The carrier checks the captcha, so the site key must belong to the carrier's secret."),
        ("recaptcha_kind", "recaptcha_site_key", "recaptcha_secret_key", "forget_secret_key"),
    ),
    Section(
        "methods",
        _("Methods and codes"),
        _("Only fill in names that differ from the defaults."),
        ("method_defaults",),
        (MethodOverride, ResponseCode),
    ),
)
# Fields without a stored value, so staff have nothing to read in them.
_WRITE_ONLY = ("logo_file", "remove_logo")
STAFF_SECTIONS = tuple(
    replace(section, fields=tuple(name for name in section.fields if name not in _WRITE_ONLY))
    for section in SECTIONS
    if section.for_staff
)


def fieldsets_of(sections: Iterable[Section]) -> Any:
    """Return the fields of these sections as fieldsets for Django's admin."""
    return tuple(
        (section.title, {"fields": section.fields, "description": section.intro})
        for section in sections
        if section.fields
    )


FIELDSETS: Any = fieldsets_of(SECTIONS)
STAFF_FIELDSETS: Any = fieldsets_of(STAFF_SECTIONS)


def group_by_section(
    fieldsets: Iterable[Any], formsets: Iterable[Any], sections: Iterable[Section] = SECTIONS
) -> Iterator[dict[str, Any]]:
    """Yield each section with its fieldset (or None) and inline formsets as rendered by Django's admin."""
    next_fieldsets = iter(fieldsets)
    formsets = list(formsets)
    for section in sections:
        yield {
            "anchor": section.anchor,
            "title": section.title,
            "fieldset": next(next_fieldsets) if section.fields else None,
            "inlines": [formset for formset in formsets if formset.opts.model in section.inlines],
        }
