"""Error pages."""

import logging
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from portal.web.http import get_referring_page
from portal.web.retry import BUSY

logger = logging.getLogger(__name__)


def _page(request: HttpRequest, title: str, text: str, retry_url: str, *, failed: bool) -> str:
    """Render an error page without session and database, because they may be what failed.

    One for which nothing has `failed` needs no reference.
    """
    for name, default in (("brand", None), ("reference", ""), ("preview", None)):
        setattr(request, name, getattr(request, name, default))
    context = {
        "request": request,
        "messages": (),
        "title": title,
        "text": text,
        "again": retry_url,
        "failed": failed,
    }
    try:
        return str(render_to_string("error.html", context))
    except Exception:
        logger.exception("error page failed")
        return f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>"


def _error(request: HttpRequest, status: int, title: str, text: str, retry_url: str = "") -> HttpResponse:
    page = _page(request, title, text, retry_url, failed=status != HTTPStatus.NOT_FOUND)
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 400."""
    text = _(
        "Something in that request wasn't right, so we didn't do anything. Go back, reload the page and "
        "try again."
    )
    return _error(request, 400, _("That didn't work"), text)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 403."""
    text = _("You don't have access to this page. Sign in with a different email address, or contact us.")
    return _error(request, 403, _("You can't view this page"), text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 404."""
    text = _("Check the web address, or go to the home page.")
    return _error(request, 404, _("Page not found"), text)


def not_allowed(request: HttpRequest, original: HttpResponse) -> HttpResponse:
    """Return the page for 405, usually shown after opening the URL of a form's button."""
    text = _("Nothing has changed. Go to the home page and try again from there.")
    response = _error(request, 405, _("You can't open this page directly"), text)
    response["Allow"] = original["Allow"]
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for 500."""
    text = _(
        "Sorry, something went wrong and we've logged it. Your last action may still have gone through, "
        "so check before you try again in a few minutes."
    )
    return _error(request, 500, _("Something went wrong on our side"), text)


def unavailable(request: HttpRequest, *, view_started: bool = True) -> HttpResponse:
    """Return the page for 503 while the database does not answer.

    If `view_started`, a form may already have reached the carrier.
    """
    if request.method in ("GET", "HEAD") or not view_started:
        text = _("We can't load this page right now. Nothing has changed. Try again in a few minutes.")
    else:
        text = _(
            "We can't load this page right now. What you just sent may or may not have worked. Check before "
            "you send it again, in a few minutes."
        )
    # In a link, //name/ would lead to another host.
    retry_url = escape_leading_slashes(request.path)
    response = _error(request, 503, _("We'll be back soon"), text, retry_url)
    response["Retry-After"] = "60"
    return response


def busy(request: HttpRequest) -> HttpResponse:
    """Return the page for 503 when no slot for costly work is free (`portal.resilience.bulkhead.Slots`)."""
    text = _("We're very busy right now. Nothing has changed. Try again in a moment.")
    retry_url = escape_leading_slashes(request.get_full_path())
    response = _error(request, 503, _("We're very busy"), text, retry_url)
    response["Retry-After"] = str(BUSY)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page for a failed CSRF check (403): usually an old tab or disabled cookies."""
    text = _(
        "We didn't send your form. This happens if you signed in or out in another tab, or left the page "
        "open for a long time. Reload the page and try again. Cookies must be turned on."
    )
    return _error(request, 403, _("This form has expired"), text, get_referring_page(request))
