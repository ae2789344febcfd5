"""Views for a brand's style sheet and logo, and for the choice of a language."""

import hashlib

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from portal.brands.icon import draw_png, draw_svg
from portal.core import colours
from portal.i18n import language
from portal.models import Brand
from portal.web.http import BrandRequest, get_next_url

# The tinted surface behind the balance: the share of the accent colour over the card.
_LIGHT_CARD, _LIGHT_TINT, _DARK_TINT = "#ffffff", 0.08, 0.16
_DARK_CONTRAST = 7.0  # Of the accent to a dark card: a lighter accent with dark text, calmer for the eye.


def brand_css(brand: Brand) -> str:
    """Return the brand's colours as CSS variables. Text on accent and accent as text meet WCAG AA."""
    accent = brand.accent.lower()
    dark_accent = colours.lighten(accent, colours.DARK_SURFACE, _DARK_CONTRAST)
    light_soft = colours.mix(_LIGHT_CARD, accent, _LIGHT_TINT)
    dark_soft = colours.mix(colours.DARK_SURFACE, dark_accent, _DARK_TINT)
    light = _variables(accent, light_soft, colours.readable_on(accent, colours.LIGHT_SURFACE, light_soft))
    dark = _variables(
        dark_accent, dark_soft, colours.readable_on(dark_accent, colours.DARK_SURFACE, dark_soft)
    )
    return f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"


def _variables(accent: str, soft: str, text: str) -> str:
    on_accent = colours.text_on(accent)
    return f":root{{--accent:{accent};--on-accent:{on_accent};--accent-text:{text};--accent-soft:{soft}}}"


@login_not_required
@require_safe
def stylesheet(request: BrandRequest) -> HttpResponse:
    """Serve /brand.css."""
    return _revalidated(request, brand_css(request.brand).encode(), "text/css; charset=utf-8")


@login_not_required
@require_safe
def icon(request: BrandRequest) -> HttpResponse:
    """Serve /brand/icon.svg."""
    return _revalidated(request, draw_svg(request.brand).encode(), "image/svg+xml")


@login_not_required
@require_safe
def touch_icon(request: BrandRequest) -> HttpResponse:
    """Serve /brand/touch-icon.png."""
    return _revalidated(request, draw_png(request.brand), "image/png")


def _revalidated(request: BrandRequest, content: bytes, kind: str) -> HttpResponse:
    """Return the file with an ETag of its content, so that any change is visible at once."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=300"}
    response = HttpResponse(content, content_type=kind, headers=headers)
    return get_conditional_response(request, etag=etag, response=response) or response


@login_not_required
@require_safe
def logo(request: BrandRequest) -> HttpResponse:
    """Serve /brand/logo?v=HASH. A URL's content never changes, so browsers may cache it for a year."""
    brand = request.brand
    if not brand.logo_hash:
        raise Http404
    is_current = request.GET.get("v") == brand.logo_hash
    return HttpResponse(
        bytes(brand.logo),
        content_type=brand.logo_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-cache"},
    )


@login_not_required
@require_safe
def choose_language(request: HttpRequest, code: str) -> HttpResponse:
    """Store the language of /language/es/?next=/sign-in/ in a cookie and redirect back to the page.

    A GET may set this cookie, since a page in another language does no harm.
    """
    if code not in language.OFFERED:
        raise Http404
    response = HttpResponseRedirect(get_next_url(request) or "/")
    language.remember(response, code)
    return response
