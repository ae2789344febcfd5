"""`{% part %}`: pieces of a page that are the same for many visitors are rendered once per process.

    {% load parts %}{% part "footer" request.get_full_path %} … {% endpart %}

What a part shows may depend on the brand's row, on the page's language and on the values that stand in the
tag, and on nothing else: nothing of a person, no token and no nonce. Where a value is None, the part is
rendered each time.
"""

from collections.abc import Callable, Hashable
from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.urls import get_script_prefix, get_urlconf
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from portal.models import Brand

register = template.Library()

# Parts of pages with a query are many; when so many are kept, all begin anew.
MOST = 2000
_kept: dict[tuple[Hashable, ...], str] = {}


class _Part(template.Node):
    def __init__(self, name: str, values: list[FilterExpression], nodelist: NodeList) -> None:
        self.name, self.values, self.nodelist = name, values, nodelist

    def render(self, context: Any) -> SafeString:
        """The part, as it was rendered for the same brand, language and values."""
        values = [value.resolve(context) for value in self.values]
        if None in values:
            return self.nodelist.render(context)
        made = kept_for(context["request"].brand, (self.name, *values), lambda: self.nodelist.render(context))
        return mark_safe(made)  # noqa: S308  # nosec B308 B703 - rendered, and so escaped, by the nodes.


def kept_for(brand: Brand | None, key: tuple[Hashable, ...], make: Callable[[], str]) -> str:
    """What was made under this key for the same row of the brand, language and set of addresses."""
    full = (brand and brand.fingerprint, get_language(), get_script_prefix(), get_urlconf(), *key)
    found = _kept.get(full)
    if found is None:
        if len(_kept) >= MOST:
            _kept.clear()
        found = _kept[full] = make()
    return found


@register.tag
def part(parser: Parser, token: Token) -> _Part:
    """`{% part "name" value … %}`; the name is that of the part, on whichever page it stands."""
    name, *values = token.split_contents()[1:]
    nodelist = parser.parse(("endpart",))
    parser.delete_first_token()
    return _Part(name, [parser.compile_filter(value) for value in values], nodelist)
