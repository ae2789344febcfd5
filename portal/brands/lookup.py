"""Look up the brand of a host. Each request needs it, so each process caches it for a short time.

A saved change of a brand is visible within BRAND_SECONDS on every node; 0 turns the cache off. While the
database fails, the last known brand is used, so pages that need nothing else of the database still work.
"""

from django.conf import settings
from django.core.cache import caches
from django.db import Error

from portal.models import Brand

LAST_KNOWN = 60  # Seconds for which a brand is served while the database fails.
_QUERYING = 10  # Seconds for which one request queries, and the others use the last known brand.
_PAUSE = 1  # Seconds between two queries while the database fails.


def get_brand_for_host(host: str) -> Brand | None:
    """Return the brand of a host, as a new object. Unknown hosts are not cached: there is no end of them.

    Raise django.db.Error if the database fails and the brand was not looked up within the last minute.
    """
    local = caches["local"]
    current, last_known = f"brand:{host}", f"last-known-brand:{host}"
    brand: Brand | None = local.get(current)
    if brand:
        return brand
    fallback: Brand | None = local.get(last_known)
    if fallback:
        local.set(current, fallback, _QUERYING)
    try:
        brand = Brand.objects.defer("logo").filter(hosts__host=host).first()
    except Error:
        if fallback is None:
            raise
        local.set(current, fallback, _PAUSE)
        return fallback
    if brand and settings.BRAND_SECONDS:
        local.set(current, brand, settings.BRAND_SECONDS)
        local.set(last_known, brand, LAST_KNOWN)
    else:
        local.delete_many([current, last_known])
    return brand
