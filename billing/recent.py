"""Pages that want whoever opens them to have proved who they are within the last minutes.

What was typed into a form meanwhile waits in the session, and stands in the form again afterwards.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib import import_module
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

_KEPT = "typed_before_reauthentication"
_PAGE = "/admin/reauthenticate/"


def recently_authenticated(request: HttpRequest) -> bool:
    """Whether it was at most five minutes ago."""
    try:
        check: Callable[[HttpRequest], bool] = import_module("accounts.views.staff").recently_authenticated
    except ModuleNotFoundError:
        return True
    return check(request)


def reauthentication(request: HttpRequest, back: str, names: Sequence[str] = ()) -> HttpResponse | None:
    """None where it was recent; else the way there, and from there to `back`.

    `names` are the fields of a form that was sent, to be kept until then.
    """
    if recently_authenticated(request):
        return None
    if request.method == "POST":
        typed = {name: request.POST[name] for name in names if name in request.POST}
        request.session[_KEPT] = {"at": back, "typed": typed}
    headers = {"Location": f"{_PAGE}?{urlencode({'next': back})}"}
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers)


def typed_before(request: HttpRequest) -> dict[str, str]:
    """What was typed on this page before one had to prove who one is; given once."""
    kept = request.session.get(_KEPT)
    if not kept or kept["at"] != request.path:
        return {}
    del request.session[_KEPT]
    return dict(kept["typed"])
