"""Which brand a host belongs to: asked for with each request, so a process knows it for a moment.

What is saved for a brand shows within BRAND_SECONDS, on every node; with 0 nothing is kept. While the
database does not answer, the brand is served as it was last known: pages that need nothing else of the
database go on.
"""

from django.conf import settings
from django.core.cache import caches
from django.db import Error

from portal.models import Brand

LAST_KNOWN = 60  # Seconds for which a brand is served while the database fails.
_ASKING = 10  # Seconds for which one request asks, and the others take what is known.
_PAUSE = 1  # Seconds between two questions while the database fails.


def get_brand_for_host(host: str) -> Brand | None:
    """The brand, as an object of one's own. A host that nobody has is asked for each time: they are endless.

    Raises django.db.Error where the database fails and the brand is not known of the last minute.
    """
    local = caches["local"]
    current, last_known = f"brand:{host}", f"last-known-brand:{host}"
    brand: Brand | None = local.get(current)
    if brand:
        return brand
    known: Brand | None = local.get(last_known)
    if known:
        local.set(current, known, _ASKING)
    try:
        brand = Brand.objects.defer("logo").filter(hosts__host=host).first()
    except Error:
        if known is None:
            raise
        local.set(current, known, _PAUSE)
        return known
    if brand and settings.BRAND_SECONDS:
        local.set(current, brand, settings.BRAND_SECONDS)
        local.set(last_known, brand, LAST_KNOWN)
    else:
        local.delete_many([current, last_known])
    return brand
