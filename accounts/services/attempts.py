"""Count requests that make the carrier mail an address."""

from portal.models import Attempt, Brand
from portal.resilience import rate_limits


def record_attempt(*, action: str, brand: Brand, email: str, network: str, device: str = "") -> Attempt:
    """Count a request for the address, then one for the carrier. Raises Limited; then neither is counted.

    Delete the returned row if the carrier has certainly mailed nothing.
    """
    attempt = rate_limits.record_attempt(
        brand=brand, action=action, email=email, network=network, device=device
    )
    try:
        rate_limits.consume(action="carrier_form", brand=brand)
    except rate_limits.Limited:
        attempt.delete()
        raise
    return attempt
