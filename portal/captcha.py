"""Google reCAPTCHA: a form field for the token, its verification, and the content security policy.

A token can be verified only once. So a token for the carrier is never verified here, because the carrier does
that. Only forms of our own call `verify`, once.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import requests
from csp.constants import NONCE, SELF, STRICT_DYNAMIC
from csp.decorators import csp_replace, csp_update
from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django_recaptcha.fields import ReCaptchaField
from django_recaptcha.widgets import ReCaptchaBase, ReCaptchaV2Checkbox, ReCaptchaV2Invisible, ReCaptchaV3

from portal.core.hosts import normal_host
from portal.i18n import language
from portal.models import Brand
from portal.resilience import bulkhead
from portal.security.crypto import SecretUnreadable
from portal.voipline import Timeouts, transport

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]

_MAX_TOKEN_LENGTH = 8192
_MIN_SCORE = 0.5
_TIMEOUTS = Timeouts(connect=3, read=5, total=8)
# Google's error codes for a wrong key of the brand or a wrong request of ours: not the visitor's fault.
_CONFIGURATION_ERRORS = {"missing-input-secret", "invalid-input-secret", "invalid-keys", "bad-request"}
# Google's script loads some challenges from the second host.
_GOOGLE, _CHALLENGES = "https://www.google.com", "https://recaptcha.google.com"


class CaptchaUnavailable(Exception):
    """Google could not be reached or refused our request. Nothing is known about the visitor."""


class CaptchaField(ReCaptchaField):  # type: ignore[misc]
    """A required field for a token. Form validation does not change or verify the token."""

    def __init__(self, *, brand: Brand, action: str) -> None:
        super().__init__(
            public_key=brand.recaptcha_site_key,
            private_key="unused",
            widget=_widget(brand, action),
            label=_("Security check"),
            max_length=_MAX_TOKEN_LENGTH,
            strip=False,
            error_messages={"required": _("Complete the security check.")},
        )

    def validate(self, value: Any) -> None:
        """Check only that there is a token. The library's method would verify it, which works only once."""
        forms.CharField.validate(self, value)


def _widget(brand: Brand, action: str) -> ReCaptchaBase:
    attrs = {"data-kind": brand.recaptcha_kind, "data-action": action}
    if brand.recaptcha_kind == "v3":
        return ReCaptchaV3(action=action, attrs=attrs)
    if brand.recaptcha_kind == "v2-invisible":
        return ReCaptchaV2Invisible(attrs=attrs)
    return ReCaptchaV2Checkbox(attrs=attrs)


def script_url(brand: Brand) -> str:
    """Return the URL of Google's script for the brand's kind of captcha. captcha.js renders each widget."""
    render = brand.recaptcha_site_key if brand.recaptcha_kind == "v3" else "explicit"
    return f"{settings.RECAPTCHA_URL}/api.js?" + urlencode({"render": render, "hl": language.for_google()})


def allow(view: View, leads_to: list[str]) -> View:
    """Extend the content security policy of a view that shows a captcha by what Google needs.

    `leads_to`: other hosts to which a submitted form may redirect.
    """
    google = "{0.scheme}://{0.netloc}".format(urlsplit(settings.RECAPTCHA_URL))
    sources = {
        "frame-src": [google, *([_CHALLENGES] if google == _GOOGLE else []), "https://www.gstatic.com"],
        "connect-src": [google, "https://www.gstatic.com"],
        "img-src": [SELF, "https://www.gstatic.com"],
        "form-action": leads_to,
    }
    scripts = csp_replace({"script-src": [NONCE, STRICT_DYNAMIC]})
    return cast(View, csp_update(sources)(scripts(view)))


def verify(*, brand: Brand, captcha_token: str, address: str, action: str) -> bool:
    """Verify a token of our own form with Google. This uses up the token.

    Return False if the token is invalid, used or has a low score, if it was solved on another site than the
    brand's or, with v3, for another form than `action`. Raise CaptchaUnavailable if Google does not answer in
    time, does not answer as documented (https://developers.google.com/recaptcha/docs/verify), or reports an
    error of ours.
    """
    try:
        fields = {
            "secret": brand.reveal("recaptcha_secret_key"),
            "response": captcha_token,
            "remoteip": address,
        }
        with bulkhead.CARRIERS.slot(brand):
            answer = _site_verify(fields)
        if wrong := _CONFIGURATION_ERRORS.intersection(_error_codes(answer)):
            raise CaptchaUnavailable(f"{', '.join(sorted(wrong))}: check the brand's reCAPTCHA secret key")
    except (bulkhead.BulkheadFull, SecretUnreadable, CaptchaUnavailable) as error:
        reason = str(error) or type(error).__name__
        logger.error("captcha not verified", extra={"brand": brand.slug, "error": reason})
        raise CaptchaUnavailable(reason) from error
    return _is_valid(brand, answer, action)


def _site_verify(fields: dict[str, str]) -> dict[str, Any]:
    """Return Google's answer, in which `success` is a bool. Limits: `_TIMEOUTS.total` seconds and 1 MiB."""
    url = f"{settings.RECAPTCHA_URL}/api/siteverify"
    request = requests.Request("POST", url, data=fields, headers=transport.HEADERS).prepare()
    deadline = time.monotonic() + _TIMEOUTS.total
    reply = transport.send(request, _TIMEOUTS, deadline, key=fields["secret"], reach=None)
    if isinstance(reply, transport.Fault):
        raise CaptchaUnavailable(reply.reason)
    if reply.status != 200 or reply.body is None:
        raise CaptchaUnavailable(reply.flaw or f"HTTP {reply.status}")
    return _parse(reply.body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("success"), bool):
        raise CaptchaUnavailable("the answer is not as documented")
    return answer


def _error_codes(answer: dict[str, Any]) -> list[str]:
    codes = answer.get("error-codes")
    return [str(code) for code in codes] if isinstance(codes, list) else []


def _is_valid(brand: Brand, answer: dict[str, Any], action: str) -> bool:
    problem = _find_problem(brand, answer, action)
    if problem:
        details = {name: answer.get(name) for name in ("error-codes", "hostname", "action", "score")}
        logger.warning("captcha refused", extra={"brand": brand.slug, "why": problem, "told": details})
    return not problem


def _find_problem(brand: Brand, answer: dict[str, Any], action: str) -> str:
    """Return what is wrong with a token, for the log; empty if it is valid."""
    if not answer["success"]:
        return "not solved"
    # The owner of the key can switch off Google's check of the site, so we check it too.
    if "hostname" in answer and not brand.hosts.filter(host=normal_host(str(answer["hostname"]))).exists():
        return "solved on another site"
    if brand.recaptcha_kind == "v3" and answer.get("action") != action:
        return "solved for another form"
    score = answer.get("score")
    if score is None:
        return "no score" if brand.recaptcha_kind == "v3" else ""
    return "" if isinstance(score, int | float) and score >= _MIN_SCORE else "low score"
