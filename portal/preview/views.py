"""Show a preview to everyone who has its link: the real templates in an unsaved look, with sample figures.

Below /preview/TOKEN/SCHEME/SCENARIO/ the brand's own URL table applies, so every link stays inside the
preview. It needs no sign-in, stores nothing, calls no carrier and sets no cookie.
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
# A sandboxed page has no origin, so even a script in it could not act as the operator who views it.
SANDBOX = ["allow-forms", "allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox"]


def _sandboxed(view: View) -> View:
    """Set a preview's headers, and show a 404 page of our own if the link no longer works."""

    @csp_replace({"frame-ancestors": [SELF], "sandbox": SANDBOX})
    @wraps(view)
    def sandboxed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except PreviewGone:
            response = render(request, "portal/preview_gone.html", status=404)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return cast(View, sandboxed)


@login_not_required
@require_safe
@xframe_options_sameorigin
@_sandboxed
def start(request: HttpRequest, token: str) -> HttpResponse:
    """Redirect the link /preview/TOKEN/?scheme=light|dark to the first page. Default: the viewer's scheme."""
    drafts.load_preview(token=token)
    requested = request.GET.get("scheme")
    scheme = requested if requested in rendering.SCHEMES else rendering.AUTO
    return redirect("preview:page", token=token, scheme=scheme, scenario=VISITOR)


@csrf_exempt  # The data is not read and changes nothing, and a page without an origin sends no cookie.
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@xframe_options_sameorigin
@_sandboxed
def page(request: HttpRequest, token: str, scheme: str, scenario: str, rest: str = "") -> HttpResponse:
    """Serve /preview/TOKEN/SCHEME/SCENARIO/…: the page at … on the brand's host."""
    if scheme not in rendering.SCHEMES or scenario not in SCENARIOS:
        raise Http404
    draft = drafts.load_preview(token=token)
    preview = rendering.PreviewRequest(
        brand=drafts.build_preview_brand(draft), token=token, scheme=scheme, scenario=scenario
    )
    if request.method == "POST":
        response: HttpResponse = HttpResponseRedirect(preview.next_url(rest))
        response.status_code = 303
        return response
    return preview.get_response(rest, host=request.get_host())
