"""Error pages."""

import logging
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from portal.web.retry import BUSY

logger = logging.getLogger(__name__)


def _page(request: HttpRequest, title: str, text: str, retry_url: str) -> str:
    """Render an error page without session and database, because they may be what failed."""
    for name, default in (("brand", None), ("reference", ""), ("preview", None)):
        setattr(request, name, getattr(request, name, default))
    context = {"request": request, "messages": (), "title": title, "text": text, "again": retry_url}
    try:
        return str(render_to_string("error.html", context))
    except Exception:
        logger.exception("error page failed")
        return f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>"


def _error(request: HttpRequest, status: int, title: str, text: str, retry_url: str = "") -> HttpResponse:
    page = _page(request, title, text, retry_url)
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 400."""
    text = _(
        "Your browser sent something that this page does not understand, so nothing was done. Go back,"
        " reload the page and try again."
    )
    return _error(request, 400, _("We could not read that"), text)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 403."""
    text = _("The address you are signed in with does not open it. Sign in with another address, or ask us.")
    return _error(request, 403, _("This page is not open to you"), text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for 404."""
    text = _("The address may be mistyped, or the page may have moved. From the start you get everywhere.")
    return _error(request, 404, _("There is no such page"), text)


def not_allowed(request: HttpRequest, original: HttpResponse) -> HttpResponse:
    """Return the page for 405, usually shown after opening the URL of a form's button."""
    text = _("Nothing was done. Go back to the start, and use the button that belongs to it.")
    response = _error(request, 405, _("This web address works only by a button"), text)
    response["Allow"] = original["Allow"]
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for 500."""
    text = _(
        "It was not your doing, and we have made a note of it. What you did last may or may not have"
        " worked: please look before you do it again, in a few minutes."
    )
    return _error(request, 500, _("Something went wrong on our side"), text)


def unavailable(request: HttpRequest, *, view_started: bool = True) -> HttpResponse:
    """Return the page for 503 while the database does not answer.

    If `view_started`, a form may already have reached the carrier.
    """
    if request.method in ("GET", "HEAD") or not view_started:
        text = _(
            "We cannot reach our records at the moment, so we show nothing rather than something wrong."
            " Nothing was changed. Please try again in a few minutes."
        )
    else:
        text = _(
            "We cannot reach our records at the moment. What you have just sent may or may not have worked:"
            " please look before you send it again, in a few minutes."
        )
    # In a link, //name/ would lead to another host.
    retry_url = escape_leading_slashes(request.path)
    response = _error(request, 503, _("We will be back in a moment"), text, retry_url)
    response["Retry-After"] = "60"
    return response


def busy(request: HttpRequest) -> HttpResponse:
    """Return the page for 503 when no slot for costly work is free (`portal.resilience.bulkhead.Slots`)."""
    text = _(
        "Too many people are asking for this right now. Nothing was changed. Please try again in a moment."
    )
    retry_url = escape_leading_slashes(request.get_full_path())
    response = _error(request, 503, _("We are very busy"), text, retry_url)
    response["Retry-After"] = str(BUSY)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page for a failed CSRF check (403): usually an old tab or disabled cookies."""
    text = _(
        "Nothing was sent. Usually this is because you signed in or out in another tab, or the page was open"
        " for a long time. Open the page again and send the form once more; your browser must accept cookies."
    )
    return _error(request, 403, _("This form has expired"), text, _referring_page(request))


def _referring_page(request: HttpRequest) -> str:
    """Return the path of the page that the Referer header names if it is on this host, else `/`."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "/"
    page = parts._replace(scheme="", netloc="").geturl()
    same_host = parts.netloc == request.get_host() and url_has_allowed_host_and_scheme(page, set())
    return page if same_host and page.startswith("/") else "/"
