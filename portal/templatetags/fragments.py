"""What the fragments of pages are keyed by that are kept, each per process, in the cache `local`.

    {% load cache fragments %}{% cache 60 "footer" request|page_key … using="local" %} … {% endcache %}

`page_key` stands first in each such tag, and behind it what else the fragment shows. It shows nothing of a
person, no token and no nonce.
"""

from django import template
from django.http import HttpRequest
from django.utils.translation import get_language

register = template.Library()


@register.filter
def page_key(request: HttpRequest) -> str:
    """The brand's row as it was last changed, the language, and where the addresses of a preview begin."""
    brand, preview = request.brand, request.preview  # type: ignore[attr-defined]
    row = f"{brand.pk} {brand.changed_at}" if brand else ""
    return f"{row} {get_language()} {preview['start'] if preview else ''}"


@register.filter
def own_path(request: HttpRequest) -> str:
    """The page's path where it is one of ours, of which there are few; else empty.

    A visitor can make up other paths, and queries, without end: no fragment holds them.
    """
    match = request.resolver_match
    return request.path if match and not match.kwargs else ""
