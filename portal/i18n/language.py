"""Which language a page is in: the visitor's choice, else the browser's wish, else the brand's own.

A choice is kept in a cookie of its own, so that it outlasts signing in and out. Where it differs from the
brand's language only by the region, the brand's stands: a visitor from the USA on an Australian brand reads
English with Australian dates.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, get_language_info
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

# What the switcher offers; a catalogue is complete for each.
OFFERED = ("en", "es", "zh-hans", "ar")

# Google's names, where they are not ours (https://developers.google.com/recaptcha/docs/language).
_GOOGLE = {"zh-hans": "zh-CN", "en-gb": "en-GB"}


def choose(*, chosen: str, accepted: str, default: str) -> str:
    """The language to answer in: one of LANGUAGES.

    `chosen` is the cookie's code or empty, `accepted` the header Accept-Language (RFC 9110, 12.5.4).
    """
    wanted = [tag for tag, weight in parse_accept_lang_header(accepted.lower()) if weight]
    for tag in (chosen.lower(), *wanted):
        if tag == "*":
            break
        try:
            found = get_supported_language_variant(tag)
        except LookupError:
            continue
        return default if _base(found) == _base(default) else found
    return default


def of_request(request: HttpRequest, default: str) -> str:
    """The language of this visitor."""
    return choose(
        chosen=request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""),
        accepted=request.META.get("HTTP_ACCEPT_LANGUAGE", ""),
        default=default,
    )


def declare(response: HttpResponse, language: str) -> None:
    """Say in the headers of a page which language it is in, and that another visitor may get another."""
    if response.get("Content-Type", "").startswith("text/html"):
        response.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Accept-Language", "Cookie"])


def remember(response: HttpResponse, code: str) -> None:
    """Keep the visitor's choice for a year."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=365 * 24 * 3600,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )


def choices() -> list[dict[str, str | bool]]:
    """For the switcher: code, the language's own name, and whether the page is in it."""
    current = _base(get_language() or settings.LANGUAGE_CODE)
    return [
        {"code": code, "name": _own_name(code), "current": _base(code) == current, "rtl": _is_rtl(code)}
        for code in OFFERED
    ]


def for_google() -> str:
    """The page's language as Google's script takes it."""
    language = get_language() or settings.LANGUAGE_CODE
    return _GOOGLE.get(language, _base(language))


def _own_name(code: str) -> str:
    name: str = get_language_info(code)["name_local"]
    return name[:1].upper() + name[1:]


def _is_rtl(code: str) -> bool:
    return bool(get_language_info(code)["bidi"])


def _base(code: str) -> str:
    return code.partition("-")[0]
