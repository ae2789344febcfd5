"""Require reauthentication (password and code within the last five minutes) for sensitive steps of the admin.

The data of an interrupted form is stored in the session and filled in again afterwards, except secrets and
files, which have to be entered again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from http import HTTPMethod, HTTPStatus

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from portal.admin.sessions import page_before, proved_recently

View = Callable[..., HttpResponse]

_SESSION_KEY = "form_before_proof"
_CSRF_FIELD = "csrfmiddlewaretoken"


@dataclass(frozen=True)
class SavedForm:
    """The data of an interrupted form. `left_out`: True if a secret or a file was not saved."""

    fields: QueryDict
    left_out: bool = False


def recently_authenticated(request: HttpRequest) -> bool:
    """Return True if the user has signed in or reauthenticated within the last five minutes."""
    return proved_recently(request.session)


def needs_recent_authentication(view: View) -> View:
    """Decorate a view for sensitive steps: redirect to the reauthentication if needed, and back afterwards.

    A submitted form is not processed; the user returns to the page with the form.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if recently_authenticated(request):
            return view(request, *args, **kwargs)
        return redirect_to_reauthentication(request, page_before(request))

    return wrapper


def redirect_to_reauthentication(request: HttpRequest, back: str) -> HttpResponse:
    """Redirect to the page that asks for password and code, which then redirects to `back`."""
    query = {"next": back}
    if request.method not in (HTTPMethod.GET, HTTPMethod.HEAD):
        query["why"] = "sent"
    headers = {"Location": reverse("staff_reauthenticate", query=query)}
    return HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers)


def keep_form_and_reauthenticate(
    request: HttpRequest, back: str, *, only: Collection[str] = (), secrets: Collection[str] = ()
) -> HttpResponse:
    """Save a form in the session and redirect. Save all fields or `only` these, never `secrets` or files."""
    fields = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name != _CSRF_FIELD and name not in secrets and (not only or name in only):
            fields.setlist(name, values)
    left_out = any(request.FILES.values()) or any(request.POST.get(name) for name in secrets)
    saved = {"at": back.partition("?")[0], "fields": fields.urlencode(), "left_out": left_out}
    request.session[_SESSION_KEY] = saved
    return redirect_to_reauthentication(request, back)


def pop_form_data(request: HttpRequest) -> SavedForm | None:
    """Return the form saved for this page, once, or None."""
    saved = request.session.get(_SESSION_KEY)
    if not saved or saved["at"] != request.path:
        return None
    del request.session[_SESSION_KEY]
    return SavedForm(QueryDict(saved["fields"], mutable=True), saved["left_out"])
