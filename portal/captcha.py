"""Google reCAPTCHA: the field that collects a token, our own check of one, and what a page must be allowed.

A token verifies once, with whoever asks first. A token that goes to the carrier is therefore never
verified here (the carrier does it); only forms of our own call `verify`, once.
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

_LONGEST_TOKEN = 8192
_LOWEST_SCORE = 0.5
_TIMEOUTS = Timeouts(connect=3, read=5, total=8)
# What Google says where it is not the visitor who is wrong but the brand's key, or how we ask.
_OUR_FAULT = {"missing-input-secret", "invalid-input-secret", "invalid-keys", "bad-request"}
# Some of the challenges that Google's script shows come from the second address.
_GOOGLE, _CHALLENGES = "https://www.google.com", "https://recaptcha.google.com"


class CaptchaUnavailable(Exception):
    """Google could not be asked, or refuses to answer us; nothing is known about the visitor."""


class CaptchaField(ReCaptchaField):  # type: ignore[misc]
    """Takes a token and leaves it as it came: required, but never verified while the form is validated."""

    def __init__(self, *, brand: Brand, action: str) -> None:
        super().__init__(
            public_key=brand.recaptcha_site_key,
            private_key="unused",
            widget=_widget(brand, action),
            label=_("Security check"),
            max_length=_LONGEST_TOKEN,
            strip=False,
            error_messages={"required": _("Please complete the security check.")},
        )

    def validate(self, value: Any) -> None:
        """Presence only. The library's own method would spend the token."""
        forms.CharField.validate(self, value)


def _widget(brand: Brand, action: str) -> ReCaptchaBase:
    attrs = {"data-kind": brand.recaptcha_kind, "data-action": action}
    if brand.recaptcha_kind == "v3":
        return ReCaptchaV3(action=action, attrs=attrs)
    if brand.recaptcha_kind == "v2-invisible":
        return ReCaptchaV2Invisible(attrs=attrs)
    return ReCaptchaV2Checkbox(attrs=attrs)


def script_url(brand: Brand) -> str:
    """Google's script for the brand's kind of captcha; our captcha.js renders each widget explicitly."""
    render = brand.recaptcha_site_key if brand.recaptcha_kind == "v3" else "explicit"
    return f"{settings.RECAPTCHA_URL}/api.js?" + urlencode({"render": render, "hl": language.for_google()})


def allow(view: View, leads_to: list[str]) -> View:
    """Widen the content security policy of a view that shows a captcha, by no more than Google needs.

    `leads_to`: the hosts, besides ours, to which the answer to its form may lead.
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


def verify(*, brand: Brand, token: str, address: str, action: str) -> bool:
    """Ask Google whether a token of our own form is good; this spends it.

    Returns False for a bad, spent or low-scored token, and for one that was solved on another site than the
    brand's or, with v3, for another form than `action`. Raises CaptchaUnavailable when Google does not
    answer in time, not as documented (https://developers.google.com/recaptcha/docs/verify), or that the fault
    is ours.
    """
    try:
        fields = {"secret": brand.reveal("recaptcha_secret_key"), "response": token, "remoteip": address}
        with bulkhead.CARRIERS.slot(brand):
            answer = _asked(fields)
        if wrong := _OUR_FAULT.intersection(_error_codes(answer)):
            raise CaptchaUnavailable(f"{', '.join(sorted(wrong))}: check the brand's reCAPTCHA secret key")
    except (bulkhead.BulkheadFull, SecretUnreadable, CaptchaUnavailable) as error:
        why = str(error) or type(error).__name__
        logger.error("captcha not verified", extra={"brand": brand.slug, "error": why})
        raise CaptchaUnavailable(why) from error
    return _is_good(brand, answer, action)


def _asked(fields: dict[str, str]) -> dict[str, Any]:
    """Google's answer, within `_TIMEOUTS.total` seconds and 1 MiB; `success` in it is true or false."""
    url = f"{settings.RECAPTCHA_URL}/api/siteverify"
    request = requests.Request("POST", url, data=fields, headers=transport.HEADERS).prepare()
    deadline = time.monotonic() + _TIMEOUTS.total
    reply = transport.send(request, _TIMEOUTS, deadline, key=fields["secret"], reach=None)
    if isinstance(reply, transport.Fault):
        raise CaptchaUnavailable(reply.reason)
    if reply.status != 200 or reply.body is None:
        raise CaptchaUnavailable(reply.flaw or f"HTTP {reply.status}")
    return _read(reply.body)


def _read(body: bytes) -> dict[str, Any]:
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


def _is_good(brand: Brand, answer: dict[str, Any], action: str) -> bool:
    why = _fault(brand, answer, action)
    if why:
        told = {name: answer.get(name) for name in ("error-codes", "hostname", "action", "score")}
        logger.warning("captcha refused", extra={"brand": brand.slug, "why": why, "told": told})
    return not why


def _fault(brand: Brand, answer: dict[str, Any], action: str) -> str:
    """What is wrong with a token, in a word; empty when it is good."""
    if not answer["success"]:
        return "not solved"
    # Google checks the site only where the key's owner has not switched that off, so it is checked here too.
    if "hostname" in answer and not brand.hosts.filter(host=normal_host(str(answer["hostname"]))).exists():
        return "solved on another site"
    if brand.recaptcha_kind == "v3" and answer.get("action") != action:
        return "solved for another form"
    score = answer.get("score")
    if score is None:
        return "no score" if brand.recaptcha_kind == "v3" else ""
    return "" if isinstance(score, int | float) and score >= _LOWEST_SCORE else "low score"
