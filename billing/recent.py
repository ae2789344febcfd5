"""Pages that want whoever opens them to have proved who they are within the last minutes.

What was typed into a form meanwhile waits in the session, and stands in the form again afterwards.
"""

from collections.abc import Sequence
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.views.staff import recently_authenticated

_KEPT = "typed_before_reauthentication"


def reauthentication(request: HttpRequest, back: str, names: Sequence[str] = ()) -> HttpResponse | None:
    """None where it was recent; else the way there, and from there to `back`.

    `names` are the fields of a form that was sent, to be kept until then.
    """
    if recently_authenticated(request):
        return None
    query = {"next": back}
    if request.method == "POST":
        query["why"] = "sent"
        typed = {name: request.POST[name] for name in names if name in request.POST}
        request.session[_KEPT] = {"at": back, "typed": typed}
    headers = {"Location": reverse("staff_reauthenticate", query=query)}
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers)


def typed_before(request: HttpRequest) -> dict[str, str]:
    """What was typed on this page before one had to prove who one is; given once."""
    kept = request.session.get(_KEPT)
    if not kept or kept["at"] != request.path:
        return {}
    del request.session[_KEPT]
    return dict(kept["typed"])
