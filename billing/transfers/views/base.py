"""Shared parts of the transfer pages: access and rendering."""

from http import HTTPStatus
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, resolve_url
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from accounts.models import User
from billing.models import Move
from portal.admin.site import site
from portal.brands.access import get_brands, is_operator
from portal.models import Brand


def get_signed_in_staff(request: HttpRequest) -> User:
    """Return the signed-in person; `admin_page` requires staff."""
    return cast(User, request.user)


def get_own_customer(request: HttpRequest, pk: int) -> User:
    """Return a customer of one of this person's brands, or raise 404."""
    rows = User.objects.select_related("brand").defer("brand__logo")
    return get_object_or_404(rows, pk=pk, brand__in=get_brands(request.user).values("pk"))


def get_brand(customer: User) -> Brand:
    """Return the customer's brand; each has one."""
    return cast(Brand, customer.brand)


def get_own_transfer(request: HttpRequest, pk: int) -> Move:
    """Return a transfer of one of this person's brands, or raise 404."""
    rows = Move.objects.select_related("brand", "customer", "asked_by", "approved_by", "resolved_by")
    return get_object_or_404(
        rows.defer("brand__logo"), pk=pk, brand__in=get_brands(request.user).values("pk")
    )


def render_page(
    request: HttpRequest, name: str, title: str, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    """Render a page in the admin's look."""
    values = {
        **site.each_context(request),
        "title": title,
        "opts": Move._meta,
        "operates": is_operator(request.user),
        **context,
    }
    return TemplateResponse(request, f"admin/billing/{name}.html", values, status=status)


def redirect_303(to: Any, *args: Any) -> HttpResponse:
    """Redirect after a POST, so that reloading sends nothing again."""
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers={"Location": resolve_url(to, *args)})


def get_title(customer: User) -> str:
    """Return the title of the pages that start a transfer."""
    return gettext("Transfer funds: %(who)s") % {"who": customer.get_full_name() or customer.email}


def expired_confirmation_message() -> str:
    """Return the text for a confirmation that is no longer valid."""
    return gettext(
        "Nothing was sent. What you saw is more than 10 minutes old or no longer applies. Check it again."
    )
