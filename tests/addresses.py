"""Every address of a table of addresses, so that a new one is tested without being listed."""

from collections.abc import Iterator

from django.urls import URLResolver, get_resolver


def routes(urlconf: str) -> list[str]:
    """Each as it is written there, with its prefixes; sorted, each once."""

    def walk(resolver: URLResolver, prefix: str) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            else:
                yield route

    return sorted(set(walk(get_resolver(urlconf), "")))
