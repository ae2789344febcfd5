"""Store and look up whether a brand's connection to the carrier works with its current URL and key."""

from django.utils import timezone

from portal.carrier.connection_check import Finding, diagnose
from portal.models import Brand
from portal.security.crypto import SecretUnreadable, keyed_hash


def check_connection(*, brand: Brand, account_number: str = "") -> list[Finding]:
    """Check the connection with `diagnose` and store whether it works. The last check counts.

    The partner's own balance decides. An unknown account number says nothing about key and IP address.
    """
    fingerprint = _fingerprint(brand)
    findings = diagnose(brand, account_number)
    works = bool(fingerprint) and findings[0].ok
    brand.carrier_proven_at = timezone.now() if works else None
    brand.carrier_proven_for = fingerprint if works else ""
    # Update these two fields only, so that changes which an operator saved during the call stay.
    Brand.objects.filter(pk=brand.pk).update(
        carrier_proven_at=brand.carrier_proven_at, carrier_proven_for=brand.carrier_proven_for
    )
    return findings


def is_connection_verified(brand: Brand) -> bool:
    """Return True if the last check succeeded and neither URL nor key has changed since."""
    return bool(brand.carrier_proven_for) and brand.carrier_proven_for == _fingerprint(brand)


def _fingerprint(brand: Brand) -> str:
    """Return a hash of URL and key, or "" if the key is missing or cannot be read."""
    try:
        key = brand.reveal("carrier_key")
    except SecretUnreadable:
        return ""
    return keyed_hash("carrier-proven", brand.carrier_url, key) if key else ""
