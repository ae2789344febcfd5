"""Go to my account: a page with one button that opens the carrier's portal."""

from http import HTTPStatus
from typing import cast

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import OpenForm
from accounts.models import User
from accounts.services.carrier_login import request_login_url
from accounts.views.forms import form_view, render_form, render_form_limited, render_form_with_outcome
from portal.resilience import rate_limits
from portal.web.http import BrandRequest, get_referring_page


@form_view
@sensitive_post_parameters()
def account_open(request: BrandRequest) -> HttpResponse:
    """/account/open/: one button, then the carrier's portal. Only this page may lead to the login hosts.

    Opened by a link of ours, the form sends itself; static/js/captcha.js does it.
    """
    user = cast(User, request.user)
    if not user.account_number and request.brand.method("login_via_url").wants("account_number"):
        return render(request, "accounts/no_account_number.html", status=HTTPStatus.CONFLICT)
    template = "accounts/account_open.html"
    form = OpenForm(request.POST if request.method == "POST" else None, brand=request.brand)
    if request.method != "POST":
        return render_form(request, template, form, start=form.can_start and _came_from_our_page(request))
    if not form.is_valid():
        return render_form(request, template, form)
    try:
        rate_limits.consume(action="captcha_post", network=f"customer {user.pk}")
        outcome, url = request_login_url(
            brand=request.brand,
            user=user,
            password=form.cleaned_data.get("password", ""),
            captcha_token=form.captcha_token,
        )
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited)
    if not url:
        return render_form_with_outcome(request, template, form, outcome)
    headers = {"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers)


def _came_from_our_page(request: BrandRequest) -> bool:
    """Return True if a page of this brand led here: no other site may make a customer sign in at the carrier.

    The sign-in does not count, because another site may have led there. A browser without the header, or one
    that only prepares a page that may never be seen, is answered no.
    """
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Sec-Fetch-Site") == "same-origin"
        and "Sec-Purpose" not in headers
        and not get_referring_page(request).startswith(reverse("accounts:sign_in"))
    )
