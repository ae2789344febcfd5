"""Validators for the fields of brands and customers. Each message says what to write instead."""

import re
import unicodedata
import zoneinfo
from email.utils import parseaddr
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from portal.core import colours
from portal.core.hosts import is_address, normal_host
from portal.i18n.translation import translate
from portal.voipline import Carrier, MappingError, Secret

# Google's public test keys start like this: with them every visitor passes the captcha.
GOOGLE_TEST_KEY = "6LeIxAcTAAAAA"


@cache
def timezones() -> frozenset[str]:
    """Return the names of all IANA time zones. Cached: Python reads hundreds of files for them."""
    return frozenset(zoneinfo.available_timezones())


def timezone(value: str) -> None:
    """Require the name of an IANA time zone."""
    if value not in timezones():
        raise ValidationError(_("Unknown time zone. Write it like Australia/Sydney."))


def hex_colour(value: str) -> None:
    """Require a colour like `#0b6e4f`."""
    if not colours.is_hex(value):
        raise ValidationError(_("Write the colour as # and six digits, like #0b6e4f."))


def one_line(value: str) -> None:
    """Refuse line breaks and other control characters: the text is used in email headers."""
    if not value.isprintable():
        raise ValidationError(_("Enter this on one line."))


def https_url(value: str) -> None:
    """Require an https:// URL: customers pay there."""
    if not value.lower().startswith("https://"):
        raise ValidationError(_("Write it with https://, like https://aurora.example/top-up."))


def name(value: str) -> None:
    """Require a name of a person or company: any letters and marks, but no control characters, one line."""
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in value):
        raise ValidationError(_("Enter this on one line."))


def sender(value: str) -> None:
    """Require `Aurora Phone <no-reply@aurora.example>` or an address alone, on one line."""
    one_line(value)
    try:
        validate_email(parseaddr(value)[1])
    except ValidationError as error:
        raise ValidationError(_("Write it like: Aurora Phone <no-reply@aurora.example>")) from error


def carrier_url(value: str) -> None:
    """Require the base URL of the carrier's API: https, or http to this machine if CARRIER_REACH allows."""
    try:
        Carrier(url=value, key=Secret("unused"), reach=settings.CARRIER_REACH)
    except MappingError as error:
        raise ValidationError([translate(words) for _key, words in error.problems]) from error


def brand_host(value: str) -> None:
    """Require a hostname without scheme, port and path."""
    if not value or normal_host(value) != value.lower().removesuffix("."):
        raise ValidationError(
            _("Write the host alone, like portal.example.com: no https://, no port, no path.")
        )


def site_key(value: str) -> None:
    """Refuse Google's test key, with which every visitor passes; it is allowed with DEBUG."""
    if value.startswith(GOOGLE_TEST_KEY) and not settings.DEBUG:
        raise ValidationError(
            _("This is Google's public test key: everybody passes it. Use the carrier's site key.")
        )
    if re.search(r"[\s\"'<>&]", value):
        raise ValidationError(_("A site key has no blanks, quotes or angle brackets."))


def login_hosts(value: object) -> None:
    """Require a list of `host` or `host:port`, each in lower case and IDNA form."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValidationError(_('Write a list of hosts, like ["au.voipcloud.online"].'))
    for entry in value:
        if not _is_login_host(entry):
            raise ValidationError(_("“%(entry)s” isn't a host or host:port."), params={"entry": entry})


def _is_login_host(entry: str) -> bool:
    if entry != entry.lower():
        return False
    try:
        parts = urlsplit(f"//{entry}")
        port = parts.port
    except ValueError:
        return False
    if port == 0 or parts.netloc != entry or "@" in entry:
        return False
    return bool(normal_host(parts.hostname or "")) or is_address(parts.hostname or "")
