"""System checks: report at the start what would fail later, and say how to fix it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError

from portal.core import validators
from portal.core.hosts import normal_host
from portal.models import Brand
from portal.security.crypto import SecretUnreadable, fernet

_HIGHEST_PORT = 65535


@checks.register(checks.Tags.security)
def encryption_keys(**_: Any) -> list[checks.CheckMessage]:
    """Check that each entry of ENCRYPTION_KEY is usable."""
    try:
        fernet()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="portal.E001")]
    return []


@checks.register(checks.Tags.security)
def addresses(**_: Any) -> list[checks.CheckMessage]:
    """Check that BIND is an address and each entry of ADMIN_HOSTS a hostname as a browser sends it."""
    errors: list[checks.CheckMessage] = []
    bind = re.fullmatch(r"unix:/.+|(?:[A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", settings.BIND)
    if not bind or int(bind[1] or 0) > _HIGHEST_PORT:
        errors.append(checks.Error(f"BIND is {settings.BIND!r}; it must be HOST:PORT.", id="portal.E006"))
    for host in settings.ADMIN_HOSTS:
        if normal_host(host) != host:
            hint = "Write hostnames alone: no https://, no port, no path."
            errors.append(checks.Error(f"ADMIN_HOSTS: {host!r} is no hostname.", hint=hint, id="portal.E007"))
    return errors


@checks.register(checks.Tags.security, deploy=True)
def workers_share_limits(**_: Any) -> list[checks.CheckMessage]:
    """Check that several workers have Redis. Without it each worker would count limits separately."""
    if settings.WEB_CONCURRENCY > 1 and not settings.REDIS_URL:
        return [
            checks.Error(
                f"WEB_CONCURRENCY is {settings.WEB_CONCURRENCY} but REDIS_URL is not set: "
                "each worker would keep limits of its own.",
                hint="Set REDIS_URL, or WEB_CONCURRENCY=1.",
                id="portal.E002",
            )
        ]
    return []


@checks.register(checks.Tags.database)
def brands_are_usable(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Check that each brand's secrets can be read and that no site key is Google's test key."""
    if not databases or encryption_keys():
        return []
    try:
        brands = list(Brand.objects.defer("logo").prefetch_related("hosts"))
    except DatabaseError:
        return []  # Before the first migration there is no table.
    return [message for brand in brands for message in _problems(brand)]


def _problems(brand: Brand) -> Iterator[checks.CheckMessage]:
    for field in ("carrier_key", "recaptcha_secret_key"):
        try:
            brand.reveal(field)
        except SecretUnreadable as error:
            yield checks.Error(str(error), obj=brand, id="portal.E003")
    try:
        validators.site_key(brand.recaptcha_site_key)
    except ValidationError as error:
        yield checks.Error(f"Brand {brand.slug}: {error.messages[0]}", id="portal.E004")
    if not brand.hosts.all():
        # Info, not a warning: a warning stops the start, and a brand in preparation must not.
        yield checks.Info(f"Brand {brand.slug} has no host, so nobody can reach it.", id="portal.I005")
