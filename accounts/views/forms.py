"""Render a form, and render it again with an error."""

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

# Decorator of each view that shows and accepts a form.
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
    """Return the page with its form; if it has a captcha, with a CSP that allows Google's script."""
    failed = status >= HTTPStatus.TOO_MANY_REQUESTS
    values = {"form": form, "failed": failed, **context}
    if form.has_captcha:
        values["captcha_script"] = captcha.script_url(request.brand)
    show = captcha.allow(render, form.form_action_hosts) if form.has_captcha else render
    return show(request, template, values, status=status)


def render_form_with_outcome(
    request: BrandRequest, template: str, form: BrandForm, outcome: Outcome, **context: object
) -> HttpResponse:
    """Return the form with the typed values and the outcome; 503 if the carrier cannot be reached."""
    for name, texts in outcome.errors.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    response = render_form(request, template, form, _STATUS[outcome.state], outcome=outcome, **context)
    if outcome.retry_after:
        response["Retry-After"] = retry.retry_after(outcome.retry_after)
    return response


def render_form_limited(
    request: BrandRequest,
    template: str,
    form: BrandForm,
    limited: rate_limits.Limited,
    *,
    asks_for_code: bool = False,
    **context: object,
) -> HttpResponse:
    """Return the form with the typed values and when to try again: 429; 503 if the limit store is down."""
    if isinstance(limited, rate_limits.LimitUnavailable):
        outcome = unavailable(UNCHECKED, retry_after=limited.retry_after)
        return render_form_with_outcome(request, template, form, outcome, **context)
    form.add_error(None, (too_many_codes if asks_for_code else _too_many_tries)(limited.retry_after))
    response = render_form(request, template, form, HTTPStatus.TOO_MANY_REQUESTS, **context)
    response["Retry-After"] = str(limited.retry_after)
    return response


def too_many_codes(seconds: int) -> str:
    """Return the reason why no code was mailed, and when one can be."""
    minutes = _minutes(seconds)
    text = ngettext(
        "You've asked for too many codes. Wait %(minutes)d minute, then try again.",
        "You've asked for too many codes. Wait %(minutes)d minutes, then try again.",
        minutes,
    )
    return text % {"minutes": minutes}


def _too_many_tries(seconds: int) -> str:
    minutes = _minutes(seconds)
    text = ngettext(
        "You've tried too many times. Wait %(minutes)d minute, then try again.",
        "You've tried too many times. Wait %(minutes)d minutes, then try again.",
        minutes,
    )
    return text % {"minutes": minutes}


def _minutes(seconds: int) -> int:
    return max(1, -(-(seconds - 1) // 60))  # 901 s are 15 minutes, not 16.


def render_code_expired(request: BrandRequest, form: BrandForm, email: str, ask: str) -> HttpResponse:
    """Return the page of an expired code, with one button that requests a new one at `ask`."""
    form.fields["email"].widget = form.fields["email"].hidden_widget()
    return render_form(request, "accounts/code_expired.html", form, email=email, ask=ask)
