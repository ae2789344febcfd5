"""Keys of page fragments that each process caches in the cache `local`.

    {% load cache fragments %}{% cache 60 "footer" request|page_key … using="local" %} … {% endcache %}

`page_key` is the first key of each such tag, followed by everything else that the fragment depends on. A
cached fragment must not contain personal data, tokens or nonces.
"""

from django import template
from django.http import HttpRequest
from django.utils.translation import get_language

register = template.Library()


@register.filter
def page_key(request: HttpRequest) -> str:
    """Return a key of the brand, its last change, the language, and the URL prefix of a preview."""
    brand, preview = request.brand, request.preview  # type: ignore[attr-defined]
    row = f"{brand.pk} {brand.changed_at}" if brand else ""
    return f"{row} {get_language()} {preview['start'] if preview else ''}"


@register.filter
def own_path(request: HttpRequest) -> str:
    """Return the path if it belongs to a URL pattern without arguments, else empty.

    Visitors can invent any number of other paths and query strings, so these must not be cached.
    """
    match = request.resolver_match
    return request.path if match and not match.kwargs else ""
