"""Which brand a host belongs to: asked for with each request, so a process knows it for a moment.

The question costs a small page as much as all the rest of it. What is saved for a brand shows within
BRAND_SECONDS, on every node; with 0 nothing is kept. While the database does not answer, the brand is served
as it was last known, for LAST_KNOWN seconds: pages that need nothing else of the database go on.
"""

import copy
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import Error

from portal.composed import Composed
from portal.models import Brand

LAST_KNOWN = 60.0  # Seconds.
_ASKING = 10.0  # Seconds for which one request asks, and the others take what is known.
_PAUSE = 1.0  # Seconds between two questions while the database fails.

_BY_HOST = Composed(lambda: Brand.objects.defer("logo").filter(hosts__host="").order_by())


@dataclass
class _Known:
    """A brand, when the database said so, and until when nobody asks again; monotonic seconds."""

    brand: Brand
    said_at: float
    until: float


_known: dict[str, _Known] = {}


def brand_of(host: str) -> Brand | None:
    """The brand, as a copy. A host that nobody has is asked for each time, since there is no end of them.

    Raises django.db.Error where the database fails and the brand is not known of the last minute.
    """
    now = time.monotonic()
    known = _known.get(host)
    if known and now < known.until:
        return copy.copy(known.brand)
    if known and now - known.said_at < LAST_KNOWN:
        known.until = now + _ASKING
    try:
        brand = _BY_HOST.row(host)
    except Error:
        if known is None or time.monotonic() - known.said_at >= LAST_KNOWN:
            raise
        known.until = time.monotonic() + _PAUSE
        return copy.copy(known.brand)
    if brand is None:
        _known.pop(host, None)
        return None
    if settings.BRAND_SECONDS:
        _ = brand.fingerprint  # Made once, for all copies.
        now = time.monotonic()
        _known[host] = _Known(brand, now, now + settings.BRAND_SECONDS)
    return copy.copy(brand)
