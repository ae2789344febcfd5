"""Brands: a reseller's name and look, its hosts, and its connection to the carrier."""

import zoneinfo
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.core import validators
from portal.core.account_types import ACCOUNT_TYPES, PREPAID
from portal.security.crypto import SecretField, SecretUnreadable
from portal.voipline import METHODS, Method


class HttpsURLField(models.URLField):  # type: ignore[type-arg]
    """A URL field whose form reads `aurora.example/terms` as https, as Django does from version 6 on."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"assume_scheme": "https", **kwargs})


class BrandQuerySet(models.QuerySet["Brand"]):
    """Brands. An update of many rows sets `changed_at` of each."""

    def update(self, **values: Any) -> int:
        """Set `changed_at` too, which Django does only in `save`."""
        return super().update(**{"changed_at": timezone.now(), **values})


class Brand(models.Model):
    """One reseller with one look and one partner account at the carrier."""

    CURRENCIES = ("AUD", "NZD", "USD", "GBP")
    CAPTCHA_KINDS = (
        ("v2-checkbox", _("v2 checkbox")),
        ("v2-invisible", _("v2 invisible")),
        ("v3", "v3"),
    )

    slug = models.SlugField(_("slug"), unique=True, help_text=_("Short name for commands and logs."))
    name = models.CharField(_("name"), max_length=80, validators=[validators.one_line])
    currency = models.CharField(_("currency"), max_length=3, choices=[(c, c) for c in CURRENCIES])
    timezone = models.CharField(_("time zone"), max_length=64, validators=[validators.timezone])
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    accent = models.CharField(
        _("accent colour"), max_length=7, default="#1d4ed8", validators=[validators.hex_colour]
    )
    logo = models.BinaryField(_("logo"), blank=True, default=b"", editable=False)
    logo_type = models.CharField(max_length=20, blank=True, editable=False)
    logo_hash = models.CharField(max_length=16, blank=True, editable=False)
    support_email = models.EmailField(_("support email"))
    support_phone = models.CharField(
        _("support phone"), max_length=40, blank=True, validators=[validators.one_line]
    )
    from_email = models.CharField(_("sender of emails"), max_length=200, validators=[validators.sender])
    terms_url = HttpsURLField(_("terms of service"), blank=True)
    privacy_url = HttpsURLField(_("privacy policy"), blank=True)
    signup_open = models.BooleanField(_("sign-up open"), default=True)
    # Of customers who sign up from now on; empty if they differ.
    account_type = models.CharField(
        _("account type of new customers"),
        max_length=8,
        blank=True,
        default=PREPAID,
        db_default=PREPAID,
        choices=ACCOUNT_TYPES,
    )
    top_up_url = HttpsURLField(
        _("page to top up or pay"), blank=True, default="", db_default="", validators=[validators.https_url]
    )
    how_to_pay = models.CharField(
        _("how to pay"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        validators=[validators.one_line],
    )
    # Part of the key of cached page fragments: they are valid for this version of the row.
    changed_at = models.DateTimeField(auto_now=True, db_default=Now())
    mail_tested_at = models.DateTimeField(_("last test email sent"), null=True, blank=True, editable=False)

    carrier_url = models.CharField(_("API address"), max_length=300, validators=[validators.carrier_url])
    carrier_key = SecretField(_("API key"))
    login_hosts = models.JSONField(
        _("login hosts"), default=list, blank=True, validators=[validators.login_hosts]
    )
    # Of the last successful check. `portal.carrier.connection_proof` describes the hash.
    carrier_proven_at = models.DateTimeField(null=True, editable=False)
    carrier_proven_for = models.CharField(max_length=64, blank=True, default="", editable=False)

    recaptcha_site_key = models.CharField(
        _("site key"), max_length=200, blank=True, validators=[validators.site_key]
    )
    recaptcha_secret_key = SecretField(_("secret key"))
    recaptcha_kind = models.CharField(_("kind"), max_length=12, choices=CAPTCHA_KINDS, default="v2-checkbox")

    objects = BrandQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        verbose_name = _("brand")
        verbose_name_plural = _("brands")

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Set `changed_at` with `update_fields` too, which Django does not do."""
        fields = None if update_fields is None else {*update_fields, "changed_at"}
        super().save(*args, update_fields=fields, **options)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone in which this brand's days begin and end."""
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def main_host(self) -> str:
        """The first host. Links in emails use it."""
        return str(self.hosts.order_by("position", "pk").values_list("host", flat=True)[0])

    def reveal(self, field: str) -> str:
        """Return `carrier_key` or `recaptcha_secret_key`. Raise SecretUnreadable, which names the brand."""
        try:
            return str(getattr(self, field).reveal())
        except SecretUnreadable as error:
            raise SecretUnreadable(f"Brand {self.slug}: {field} cannot be read: {error}.") from error

    def methods(self) -> dict[str, Method]:
        """Return the carrier's seven methods with the names that this brand's partner portal uses."""
        overrides = {override.method: override for override in self.overrides.all()}
        return {key: overrides[key].customised() if key in overrides else METHODS[key] for key in METHODS}

    def method(self, key: str) -> Method:
        """Return one of the seven methods with the names of this brand's partner portal."""
        override = self.overrides.filter(method=key).first()
        return override.customised() if override else METHODS[key]

    def codes(self) -> dict[str, str]:
        """Return the meaning of each response code or exact message of the partner portal."""
        return dict(self.response_codes.values_list("code", "meaning"))


class BrandHost(models.Model):
    """A hostname on which a brand answers."""

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="hosts")
    host = models.CharField(_("host"), max_length=253, unique=True, validators=[validators.brand_host])
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("The lowest is used in links.")
    )

    class Meta:
        ordering = ("position", "pk")
        verbose_name = _("host")
        verbose_name_plural = _("hosts")

    def __str__(self) -> str:
        return self.host

    def clean(self) -> None:
        """Convert the host to lower case. Refuse hosts of the admin."""
        self.host = self.host.lower().removesuffix(".")
        if self.host in settings.ADMIN_HOSTS:
            raise ValidationError({"host": _("This host belongs to the admin (ADMIN_HOSTS).")})
