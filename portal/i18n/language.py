"""Choose the language of a page: the visitor's choice, else the browser's preference, else the brand's.

A separate cookie stores the visitor's choice, so that it survives signing in and out. If it differs from the
brand's language only by region, the brand's language wins: a visitor from the USA on an Australian brand
reads English with Australian dates. The admin has no brand, so there the browser's region counts.
"""

from typing import Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, get_language_info
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

# Languages of the switcher. Each has a complete catalogue.
OFFERED = ("en", "es", "zh-hans", "ar")
_CODES = frozenset(code for code, _name in settings.LANGUAGES)

# Google's codes where they differ from ours (https://developers.google.com/recaptcha/docs/language).
_GOOGLE = {"zh-hans": "zh-CN", "en-gb": "en-GB"}


class HasLanguage(Protocol):
    """A brand or any other object with a language."""

    language: str


def choose(*, chosen: str, accepted: str, default: str) -> str:
    """Return the language to answer in: one of LANGUAGES.

    `chosen` is the cookie's value or empty. `accepted` is the header Accept-Language (RFC 9110, 12.5.4).
    """
    preferred = [tag for tag, weight in parse_accept_lang_header(accepted.lower()) if weight]
    for tag in (chosen.lower(), *preferred):
        if tag == "*":
            break
        try:
            language = get_supported_language_variant(tag)
        except LookupError:
            continue
        return default if _base(language) == _base(default) else language
    return default


def choose_for_staff(*, chosen: str, accepted: str) -> str:
    """Return the language of the admin, which has no brand: the browser decides on the region."""
    language = choose(chosen=chosen, accepted=accepted, default=settings.LANGUAGE_CODE)
    preferred = [tag for tag, weight in parse_accept_lang_header(accepted.lower()) if weight]
    regional = (tag for tag in preferred if tag in _CODES and _base(tag) == _base(language))
    return next(regional, language)


def get_request_language(request: HttpRequest, brand: HasLanguage | None) -> str:
    """Return the language for this visitor of a brand or, without one, for staff."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    accepted = request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    if brand:
        return choose(chosen=chosen, accepted=accepted, default=brand.language)
    return choose_for_staff(chosen=chosen, accepted=accepted)


def declare(response: HttpResponse, language: str) -> None:
    """Set the headers Content-Language and Vary on a page."""
    if response.get("Content-Type", "").startswith("text/html"):
        response.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Accept-Language", "Cookie"])


def remember(response: HttpResponse, code: str) -> None:
    """Store the visitor's choice in a cookie for a year."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=365 * 24 * 3600,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )


def choices() -> list[dict[str, str | bool]]:
    """Return an entry of the language switcher for each offered language; `name` is the native name."""
    current = _base(get_language() or settings.LANGUAGE_CODE)
    return [
        {"code": code, "name": _native_name(code), "current": _base(code) == current, "rtl": _is_rtl(code)}
        for code in OFFERED
    ]


def for_google() -> str:
    """Return the page's language as Google's script expects it."""
    language = get_language() or settings.LANGUAGE_CODE
    return _GOOGLE.get(language, _base(language))


def _native_name(code: str) -> str:
    name: str = get_language_info(code)["name_local"]
    return name[:1].upper() + name[1:]


def _is_rtl(code: str) -> bool:
    return bool(get_language_info(code)["bidi"])


def _base(code: str) -> str:
    return code.partition("-")[0]
