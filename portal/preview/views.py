"""Previews as whoever holds the link sees them: the real templates in an unsaved look, with sample figures.

Below /preview/TOKEN/SCHEME/MOOD/ the brand's own table of addresses applies, so every link stays inside.
Nobody is signed in, nothing is stored, no carrier is asked, and no cookie is set.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from portal.preview import drafts, rendering
from portal.preview.drafts import PreviewGone
from portal.preview.sample_pages import SCENARIOS, VISITOR

View = Callable[..., HttpResponse]
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
# A page in a sandbox belongs to no origin: even a script in it could not act as the operator who looks on.
SANDBOX = ["allow-forms", "allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox"]


def _sandboxed(view: View) -> View:
    """A preview's headers; a link that opens nothing any more is a 404 that says so."""

    @csp_replace({"frame-ancestors": [SELF], "sandbox": SANDBOX})
    @wraps(view)
    def shut_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except PreviewGone:
            response = render(request, "portal/preview_gone.html", status=404)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return cast(View, shut_in)


@login_not_required
@require_safe
@xframe_options_sameorigin
@_sandboxed
def start(request: HttpRequest, token: str) -> HttpResponse:
    """/preview/TOKEN/?scheme=light|dark: the link to show; without a scheme, the viewer's own."""
    drafts.load_preview(token=token)
    wanted = request.GET.get("scheme")
    scheme = wanted if wanted in rendering.SCHEMES else rendering.AUTO
    return redirect("preview:page", token=token, scheme=scheme, mood=VISITOR)


@csrf_exempt  # What is sent is not read and changes nothing; a page without origin has no cookie to prove.
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@xframe_options_sameorigin
@_sandboxed
def page(request: HttpRequest, token: str, scheme: str, mood: str, rest: str = "") -> HttpResponse:
    """/preview/TOKEN/SCHEME/MOOD/…: what stands at … on the brand's host."""
    if scheme not in rendering.SCHEMES or mood not in SCENARIOS:
        raise Http404
    draft = drafts.load_preview(token=token)
    visit = rendering.PreviewRequest(
        brand=drafts.build_preview_brand(draft), token=token, scheme=scheme, mood=mood
    )
    if request.method == "POST":
        response: HttpResponse = HttpResponseRedirect(visit.after(rest))
        response.status_code = 303
        return response
    return visit.answer(rest, host=request.get_host())
