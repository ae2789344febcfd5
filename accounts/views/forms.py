"""What the pages with a form have in common: one way to show the form, and to show it again."""

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.forms import BrandForm
from accounts.services.outcomes import UNCHECKED, Outcome, unavailable
from portal import captcha
from portal.resilience import rate_limits
from portal.web import retry
from portal.web.http import BrandRequest

# Decorates each view that shows a form and takes it.
form_view = require_http_methods(["GET", "HEAD", "POST"])

_STATUS = {
    "done": HTTPStatus.OK,
    "refused": HTTPStatus.OK,
    "pending": HTTPStatus.ACCEPTED,
    "unknown": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


def render_form(
    request: BrandRequest, template: str, form: BrandForm, status: int = 200, **context: object
) -> HttpResponse:
    """The page with its form; with a captcha on it, under the policy that lets Google's script in."""
    failed = status >= HTTPStatus.TOO_MANY_REQUESTS
    values = {"form": form, "failed": failed, **context}
    if form.has_captcha:
        values["captcha_script"] = captcha.script_url(request.brand)
    show = captcha.allow(render, form.form_action_hosts) if form.has_captcha else render
    return show(request, template, values, status=status)


def render_form_with_outcome(
    request: BrandRequest, template: str, form: BrandForm, outcome: Outcome, **context: object
) -> HttpResponse:
    """The form with what was typed and what came of it: 503 and an honest text where we cannot serve."""
    for name, texts in outcome.errors.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    response = render_form(request, template, form, _STATUS[outcome.state], outcome=outcome, **context)
    if outcome.retry_after:
        response["Retry-After"] = retry.retry_after(outcome.retry_after)
    return response


def render_form_limited(
    request: BrandRequest, template: str, form: BrandForm, limited: rate_limits.Limited, **context: object
) -> HttpResponse:
    """429: the form with what the visitor typed, and when to try again; 503 where nothing can be counted."""
    if isinstance(limited, rate_limits.LimitUnavailable):
        outcome = unavailable(UNCHECKED, retry_after=limited.retry_after)
        return render_form_with_outcome(request, template, form, outcome, **context)
    minutes = max(1, -(-(limited.retry_after - 1) // 60))  # 901 s are 15 minutes, not 16.
    text = ngettext(
        "Too many attempts. Please wait %(minutes)d minute, then try again.",
        "Too many attempts. Please wait %(minutes)d minutes, then try again.",
        minutes,
    ) % {"minutes": minutes}
    form.add_error(None, text)
    response = render_form(request, template, form, HTTPStatus.TOO_MANY_REQUESTS, **context)
    response["Retry-After"] = str(limited.retry_after)
    return response


def render_code_expired(request: BrandRequest, form: BrandForm, email: str, ask: str) -> HttpResponse:
    """A code can be typed no more: one button sends the form, with the address in it, to where one asks."""
    form.fields["email"].widget = form.fields["email"].hidden_widget()
    return render_form(request, "accounts/code_expired.html", form, email=email, ask=ask)
