"""Template tag for the navigation of the admin."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from portal.brands.access import is_operator

register = template.Library()


@dataclass(frozen=True)
class Link:
    """A link of the navigation. `current`: the page belongs to it."""

    label: str
    url: str
    current: bool


@register.inclusion_tag("admin/_navigation.html", takes_context=True)
def navigation(context: Any) -> dict[str, Any]:
    """Render the links to all lists; operators have staff apart from customers."""
    request: HttpRequest = context["request"]
    users = reverse("admin:accounts_user_changelist")
    operator, on_staff = is_operator(request.user), _is_about_staff(request, context.get("original"))
    customers = f"{users}?kind=customer" if operator else users
    customer_pages = (users, reverse("customer_page", args=(0,)).removesuffix("0/"))
    links = [
        Link(_("Customers"), customers, request.path.startswith(customer_pages) and not on_staff),
        *(
            _link(request, label, name)
            for label, name in (
                (_("Transfers"), "admin:billing_move_changelist"),
                (_("Partner balance"), "billing_admin:partners"),
                (_("Brands"), "admin:portal_brand_changelist"),
                (_("Emails"), "admin:portal_email_changelist"),
                (_("Calls to the carrier"), "admin:portal_carriercall_changelist"),
            )
        ),
    ]
    if operator:
        links.append(Link(_("Staff"), f"{users}?kind=staff", request.path.startswith(users) and on_staff))
    return {"links": links, "search": users, "kind": "customer" if operator else ""}


def _link(request: HttpRequest, label: str, name: str) -> Link:
    url = reverse(name)
    return Link(label, url, request.path.startswith(url))


def _is_about_staff(request: HttpRequest, original: object) -> bool:
    if isinstance(original, User):
        return original.brand_id is None
    return request.GET.get("kind") in ("staff", "operator")
