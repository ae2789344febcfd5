"""The URL patterns of a URL table, so that new ones are tested without being listed."""

from collections.abc import Callable, Iterator
from typing import Any

from django.urls import URLResolver, get_resolver


def views(urlconf: str) -> list[tuple[str, Callable[..., Any]]]:
    """Yield each URL pattern, with its prefixes, and its view."""

    def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            else:
                yield route, pattern.callback

    return list(walk(get_resolver(urlconf), ""))


def routes(urlconf: str) -> list[str]:
    """Return the URL patterns, sorted, without duplicates."""
    return sorted({route for route, _view in views(urlconf)})
