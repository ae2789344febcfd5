"""Every address of a table of addresses, so that a new one is tested without being listed."""

from collections.abc import Callable, Iterator
from typing import Any

from django.urls import URLResolver, get_resolver


def views(urlconf: str) -> list[tuple[str, Callable[..., Any]]]:
    """Each address as it is written there, with its prefixes, and the view that stands at it."""

    def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            else:
                yield route, pattern.callback

    return list(walk(get_resolver(urlconf), ""))


def routes(urlconf: str) -> list[str]:
    """Each address, sorted, each once."""
    return sorted({route for route, _view in views(urlconf)})
