"""`{% part %}`: pieces of a page that are the same for many visitors are rendered once per process.

    {% load parts %}{% part "footer" request|address %} … {% endpart %}

What a part shows may depend on the brand's row, on the page's language and on the values that stand in the
tag, and on nothing else: nothing of a person, no token and no nonce. Where a value is None, the part is
rendered each time: so it must be where a visitor could make up values without end.
"""

from collections.abc import Hashable
from typing import Any, TypeVar

from django import template
from django.http import HttpRequest
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.urls import get_script_prefix, get_urlconf
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from portal.models import Brand

register = template.Library()

MOST = 2000  # When so many are kept, all begin anew.
_kept: dict[tuple[Hashable, ...], Any] = {}

Made = TypeVar("Made")


def key(brand: Brand | None, *values: Hashable) -> tuple[Hashable, ...]:
    """What is made for the same row of the brand, language, set of addresses and values is the same."""
    return (brand and brand.fingerprint, get_language(), get_script_prefix(), get_urlconf(), *values)


def found(key: tuple[Hashable, ...]) -> Any:
    """What is kept under the key, or None."""
    return _kept.get(key)


def keep(key: tuple[Hashable, ...], made: Made) -> Made:
    """Keep what was made, and give it back."""
    if len(_kept) >= MOST:
        _kept.clear()
    _kept[key] = made
    return made


class _Part(template.Node):
    def __init__(self, name: str, values: list[FilterExpression], nodelist: NodeList) -> None:
        self.name, self.values, self.nodelist = name, values, nodelist

    def render(self, context: Any) -> SafeString:
        """The part, as it was rendered for the same brand, language and values."""
        values = [value.resolve(context) for value in self.values]
        if None in values:
            return self.nodelist.render(context)
        whole = key(context["request"].brand, self.name, *values)
        made = found(whole)
        if made is None:
            made = keep(whole, self.nodelist.render(context))
        return mark_safe(str(made))  # noqa: S308  # nosec B308 B703 - rendered, and so escaped, by the nodes.


@register.filter
def address(request: HttpRequest) -> str | None:
    """The request's address where it is one of ours and has no query; the others are without end."""
    plain = request.resolver_match and not request.META.get("QUERY_STRING")
    return request.path if plain else None


@register.tag
def part(parser: Parser, token: Token) -> _Part:
    """`{% part "name" value … %}`; the name is that of the part, on whichever page it stands."""
    name, *values = token.split_contents()[1:]
    nodelist = parser.parse(("endpart",))
    parser.delete_first_token()
    return _Part(name, [parser.compile_filter(value) for value in values], nodelist)
