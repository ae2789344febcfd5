"""Registry of sample pages and users for previews.

`portal` must not import the other apps, so the admin's URL table registers their samples here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise

from portal.models import Brand

VISITOR, CUSTOMER, UNAVAILABLE, UNNUMBERED = "visitor", "customer", "unavailable", "unnumbered"
SCENARIOS = (VISITOR, CUSTOMER, UNAVAILABLE, UNNUMBERED)

UserFactory = Callable[[Brand, str], Any]


@dataclass(frozen=True)
class Sample:
    """One page in one scenario: a visitor, a customer, one without figures, one without account number.

    `name`: the name in the brand's URL table. `context`: returns the template's context for a brand and a
    scenario. `next_page`: scenario and name of the page after its form is sent.
    """

    label: str | Promise
    scenario: str
    name: str
    template: str | Callable[[Brand], str]
    context: Callable[[Brand, str], dict[str, Any]]
    next_page: tuple[str, str] | None = None

    def template_for(self, brand: Brand) -> str:
        """Return the template, which on some pages depends on the brand."""
        return self.template(brand) if callable(self.template) else self.template


class CaptchaSample(forms.Widget):
    """A placeholder for Google's captcha that makes no request."""

    template_name = "portal/_preview_captcha.html"


_pages: list[Sample] = []
_user_factories: list[UserFactory] = []


def register(*, make_user: UserFactory, pages: Iterable[Sample]) -> None:
    """Set the pages, in the order of the menu, and the function for their user (None: not signed in)."""
    _user_factories[:] = [make_user]
    _pages[:] = pages


def all_pages() -> tuple[Sample, ...]:
    """Return every sample page."""
    return tuple(_pages)


def find(*, scenario: str, name: str) -> Sample | None:
    """Return the page with this name in this scenario, else in any other, else None."""
    pages = [page for page in _pages if page.name == name]
    return next((page for page in pages if page.scenario == scenario), pages[0] if pages else None)


def make_user(*, brand: Brand, scenario: str) -> Any:
    """Return the user who is signed in in this scenario, or None."""
    return _user_factories[0](brand, scenario)
