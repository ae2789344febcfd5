"""Which brand a host belongs to: asked for with each request, so a process knows it for a moment.

The question costs a small page as much as all the rest of it. What is saved for a brand shows within
BRAND_SECONDS, on every node.
"""

import copy
import time

from django.conf import settings

from portal.composed import Composed
from portal.models import Brand

_BY_HOST = Composed(lambda: Brand.objects.defer("logo").filter(hosts__host="").order_by())
_known: dict[str, tuple[float, Brand]] = {}  # Until when (monotonic), and what.


def brand_of(host: str) -> Brand | None:
    """The brand, as a copy. A host that nobody has is asked for anew, since there is no end of them."""
    until, brand = _known.get(host, (0.0, None))
    if brand is None or until <= time.monotonic():
        brand = _BY_HOST.row(host)
        if brand is None:
            _known.pop(host, None)
            return None
        _ = brand.fingerprint  # Made once, for all copies.
        _known[host] = time.monotonic() + settings.BRAND_SECONDS, brand
    return copy.copy(brand)
