"""The gate in front of delicate steps of the admin: password and code, typed within the last five minutes.

What was typed into a form that stops here waits in the session, and stands in the form again afterwards;
secrets and files do not: they have to be entered again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from http import HTTPMethod, HTTPStatus

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from portal.admin.sessions import page_before, proved_recently

View = Callable[..., HttpResponse]

_KEPT = "form_before_proof"
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105


@dataclass(frozen=True)
class Typed:
    """A form as it was sent; `left_out` says whether it held a secret or a file, which are not kept."""

    fields: QueryDict
    left_out: bool = False


def recently_authenticated(request: HttpRequest) -> bool:
    """Whether the person signed in here has proved who they are within the last five minutes."""
    return proved_recently(request.session)


def needs_recent_authentication(view: View) -> View:
    """For delicate steps: without a recent proof one gives it first, and then comes back.

    Of a form that was sent nothing is done; the page with it is where they come back to.
    """

    @wraps(view)
    def gate(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if recently_authenticated(request):
            return view(request, *args, **kwargs)
        return redirect_to_reauthentication(request, page_before(request))

    return gate


def redirect_to_reauthentication(request: HttpRequest, back: str) -> HttpResponse:
    """The way to the page that asks for password and code, and from there to `back`."""
    query = {"next": back}
    if request.method not in (HTTPMethod.GET, HTTPMethod.HEAD):
        query["why"] = "sent"
    headers = {"Location": reverse("staff_reauthenticate", query=query)}
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers)


def keep_form_and_reauthenticate(
    request: HttpRequest, back: str, *, only: Collection[str] = (), secrets: Collection[str] = ()
) -> HttpResponse:
    """The same for a form; its fields wait in the session: all or `only` these, never `secrets` and files."""
    fields = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name != _TOKEN and name not in secrets and (not only or name in only):
            fields.setlist(name, values)
    left_out = any(request.FILES.values()) or any(request.POST.get(name) for name in secrets)
    kept = {"at": back.partition("?")[0], "fields": fields.urlencode(), "left_out": left_out}
    request.session[_KEPT] = kept
    return redirect_to_reauthentication(request, back)


def pop_form_data(request: HttpRequest) -> Typed | None:
    """What was typed on this page before one had to prove who one is; given once."""
    kept = request.session.get(_KEPT)
    if not kept or kept["at"] != request.path:
        return None
    del request.session[_KEPT]
    return Typed(QueryDict(kept["fields"], mutable=True), kept["left_out"])
