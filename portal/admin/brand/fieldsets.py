"""The sections of a brand's page: fields and lines in the order in which one fills them in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.models import BrandHost, MethodOverride, ResponseCode


@dataclass(frozen=True)
class Section:
    """One section; `anchor` is its address on the page, `fields` those of the brand, `lines` the inlines.

    Those that are not `for_staff` are the operators' alone.
    """

    anchor: str
    title: Promise
    intro: Promise | str = ""
    fields: tuple[str, ...] = ()
    lines: tuple[type, ...] = field(default=())
    for_staff: bool = False


SECTIONS = (
    Section(
        "look",
        _("Look"),
        _("What customers see on each page and in each mail."),
        (
            *("name", "slug", "accent", "logo_preview", "logo_file", "remove_logo"),
            *("language", "timezone", "currency"),
        ),
        for_staff=True,
    ),
    Section("hosts", _("Hosts"), lines=(BrandHost,), for_staff=True),
    Section(
        "contact",
        _("Contact and legal"),
        _("Whom customers turn to, who mails them, and what they agree to when they sign up."),
        ("support_email", "support_phone", "from_email", "terms_url", "privacy_url", "signup_open"),
        for_staff=True,
    ),
    Section(
        "carrier",
        _("Carrier connection"),
        _(
            "The partner portal shows all of it on the tab Integrations/API. List this server's public IP "
            "address there too, with “Add IP”; the command curl -4 https://ifconfig.me, run on the server, "
            "shows it."
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
        _("Write down only what the partner portal calls differently."),
        ("method_defaults",),
        (MethodOverride, ResponseCode),
    ),
)
# What is typed and not kept, so that there is nothing to read.
_TYPED = ("logo_file", "remove_logo")
STAFF_SECTIONS = tuple(
    replace(section, fields=tuple(name for name in section.fields if name not in _TYPED))
    for section in SECTIONS
    if section.for_staff
)


def fieldsets_of(sections: Iterable[Section]) -> Any:
    """The fields of these sections as Django's admin takes them."""
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
    """The sections with what Django's admin made of them: a fieldset or None, and inline formsets."""
    rest = iter(fieldsets)
    lines = list(formsets)
    for section in sections:
        yield {
            "anchor": section.anchor,
            "title": section.title,
            "fieldset": next(rest) if section.fields else None,
            "inlines": [line for line in lines if line.opts.model in section.lines],
        }
