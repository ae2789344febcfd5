"""Whether a brand's connection to the carrier has been seen to work with the address and key it has now."""

from django.utils import timezone

from portal.carrier.connection_check import Finding, diagnose
from portal.models import Brand
from portal.security.crypto import SecretUnreadable, keyed_hash


def check_connection(*, brand: Brand, account_number: str = "") -> list[Finding]:
    """Ask the carrier as `diagnose` does, and keep whether it answered: the last check is what counts.

    The partner's own balance decides. An unknown account number says nothing about key and IP address.
    """
    asked_with = _fingerprint(brand)
    findings = diagnose(brand, account_number)
    works = bool(asked_with) and findings[0].ok
    brand.carrier_proven_at = timezone.now() if works else None
    brand.carrier_proven_for = asked_with if works else ""
    # Only these two: whatever an operator saved in the meantime stays.
    Brand.objects.filter(pk=brand.pk).update(
        carrier_proven_at=brand.carrier_proven_at, carrier_proven_for=brand.carrier_proven_for
    )
    return findings


def is_connection_verified(brand: Brand) -> bool:
    """The last check worked, and neither the address nor the key has changed since."""
    return bool(brand.carrier_proven_for) and brand.carrier_proven_for == _fingerprint(brand)


def _fingerprint(brand: Brand) -> str:
    """What a proof holds for; "" while the key is missing or cannot be read."""
    try:
        key = brand.reveal("carrier_key")
    except SecretUnreadable:
        return ""
    return keyed_hash("carrier-proven", brand.carrier_url, key) if key else ""
