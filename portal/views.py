"""Pages that belong to the brand itself: its style sheet, its logo, and the error pages."""

import hashlib
import logging
from types import SimpleNamespace

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal import colour, language
from portal.http import BrandRequest, wanted_page
from portal.models import Brand

logger = logging.getLogger(__name__)

# Where portal.css has the accent as text, the surface with the least contrast: the light page, the dark card.
LIGHT_SURFACE, DARK_SURFACE = "#f6f7f9", "#151a21"


def brand_css(brand: Brand) -> str:
    """The brand's colours as CSS variables; text on the accent, and accent as text, always read (WCAG AA)."""
    accent = brand.accent.lower()
    dark_accent = colour.readable_on(accent, DARK_SURFACE)
    return (
        f":root{{--accent:{accent};--on-accent:{colour.text_on(accent)};"
        f"--accent-text:{colour.readable_on(accent, LIGHT_SURFACE)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{dark_accent};"
        f"--on-accent:{colour.text_on(dark_accent)};--accent-text:{dark_accent}}}}}\n"
    )


@login_not_required
@require_safe
def stylesheet(request: BrandRequest) -> HttpResponse:
    """/brand.css: small, so it is asked for again each time and answered by its ETag."""
    css = brand_css(request.brand)
    # Of the text itself, so that a release that computes it differently is seen at once.
    etag = f'"{hashlib.sha256(css.encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=300"}
    response = HttpResponse(css, content_type="text/css; charset=utf-8", headers=headers)
    return get_conditional_response(request, etag=etag, response=response) or response


@login_not_required
@require_safe
def logo(request: BrandRequest) -> HttpResponse:
    """/brand/logo?v=HASH: never changes under its address, so a browser may keep it for a year."""
    brand = request.brand
    if not brand.logo_hash:
        raise Http404
    fresh = request.GET.get("v") == brand.logo_hash
    return HttpResponse(
        bytes(brand.logo),
        content_type=brand.logo_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache"},
    )


@login_not_required
@require_safe
def language_choose(request: HttpRequest, code: str) -> HttpResponse:
    """/language/es/?next=/sign-in/: keeps the choice and goes back to the page.

    A link is enough, although it sets a cookie: nobody is harmed by a page in another language.
    """
    if code not in language.OFFERED:
        raise Http404
    response = HttpResponseRedirect(wanted_page(request) or "/")
    language.remember(response, code)
    return response


def _error(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    context = {"title": title, "text": text, "status": status}
    response = render(request, "error.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    return _error(request, 400, _("We could not read that"), _("Please go back and try again."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return _error(
        request, 403, _("This page is not open to you"), _("Sign in with another address, or ask us.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    return _error(
        request,
        404,
        _("There is no such page"),
        _("The address may be mistyped, or the page may have moved."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """500. Asks neither session nor database, because they may be what failed."""
    context = {
        "request": SimpleNamespace(brand=getattr(request, "brand", None)),
        "messages": (),
        "title": _("Something went wrong on our side"),
        "text": _("It was not your doing, and we have made a note of it. Please try again in a few minutes."),
    }
    try:
        page: str = render_to_string("error.html", context)
    except Exception:
        logger.exception("error page failed")
        page = f"<!doctype html><title>500</title><h1>{context['title']}</h1><p>{context['text']}</p>"
    return HttpResponse(page, status=500, headers={"Cache-Control": "no-store"})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403, where a form came without its protection: usually an old tab or cookies switched off."""
    return _error(
        request,
        403,
        _("This form has expired"),
        _("Nothing was sent. Open the page again and make sure that your browser accepts cookies."),
    )
