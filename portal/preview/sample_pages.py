"""What a preview can show: sample pages and sample people, told by the apps that have them.

`portal` may not know the other apps; the admin's table of addresses, which knows all, brings them here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise

from portal.models import Brand

VISITOR, CUSTOMER, UNAVAILABLE, UNNUMBERED = "visitor", "customer", "unavailable", "unnumbered"
SCENARIOS = (VISITOR, CUSTOMER, UNAVAILABLE, UNNUMBERED)

Person = Callable[[Brand, str], Any]


@dataclass(frozen=True)
class Sample:
    """One page in one mood: nobody signed in, a customer, one without figures, one without account number.

    `name`: the address's name in the brand's table. `context`: what fills its template, made of brand and
    mood. `after`: mood and name of the page that sending its form leads to.
    """

    label: str | Promise
    mood: str
    name: str
    template: str | Callable[[Brand], str]
    context: Callable[[Brand, str], dict[str, Any]]
    after: tuple[str, str] | None = None

    def template_for(self, brand: Brand) -> str:
        """The template; some pages have another one for some brands."""
        return self.template(brand) if callable(self.template) else self.template


class CaptchaSample(forms.Widget):
    """Stands where Google's captcha will; asks nobody."""

    template_name = "portal/_preview_captcha.html"


_pages: list[Sample] = []
_people: list[Person] = []


def register(*, people: Person, pages: Iterable[Sample]) -> None:
    """Take over pages, in the order in which they are offered, and who visits them: None is nobody."""
    _people[:] = [people]
    _pages[:] = pages


def listed() -> tuple[Sample, ...]:
    """Every sample page."""
    return tuple(_pages)


def find(*, mood: str, name: str) -> Sample | None:
    """The page of that name in this mood, else in any; None where there is no such sample."""
    named = [page for page in _pages if page.name == name]
    return next((page for page in named if page.mood == mood), named[0] if named else None)


def person(*, brand: Brand, mood: str) -> Any:
    """The user who visits in this mood; None is nobody."""
    return _people[0](brand, mood)
