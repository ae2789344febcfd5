"""Count what makes the carrier mail an address; take the count back where nothing was mailed."""

from collections.abc import Callable

from accounts.services.outcomes import Outcome
from portal.models import Attempt, Brand
from portal.resilience import rate_limits


def call_counted(
    ask: Callable[[], Outcome], *, action: str, brand: Brand, email: str, network: str, device: str = ""
) -> Outcome:
    """Call the carrier, which mails this address; do not count what surely mailed nobody. Raises Limited."""
    attempt = count_attempt(action, brand, email, network, device)
    outcome = ask()
    if outcome.state not in ("done", "unknown"):
        attempt.delete()
    return outcome


def count_attempt(action: str, brand: Brand, email: str, network: str, device: str) -> Attempt:
    """Count one for the address, then one for the carrier; neither, where there is no room for both."""
    attempt = rate_limits.record_attempt(
        brand=brand, action=action, email=email, network=network, device=device
    )
    try:
        rate_limits.consume(action="carrier_form", brand=brand)
    except rate_limits.Limited:
        attempt.delete()
        raise
    return attempt
