"""Require recent authentication for the pages of transfers; see `portal.admin.reauthentication`."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse

from portal.admin.reauthentication import (
    keep_form_and_reauthenticate,
    pop_form_data,
    recently_authenticated,
    redirect_to_reauthentication,
)


def require_reauthentication(
    request: HttpRequest, back: str, names: Collection[str] = ()
) -> HttpResponse | None:
    """Return None after a recent authentication; else a redirect to authenticate, and from there to `back`.

    `names` are the fields of a submitted form to keep until then.
    """
    if recently_authenticated(request):
        return None
    if request.method == "POST":
        return keep_form_and_reauthenticate(request, back, only=names)
    return redirect_to_reauthentication(request, back)


def restore_form_data(request: HttpRequest) -> dict[str, str]:
    """Return the form data stored before reauthentication, and delete it."""
    typed = pop_form_data(request)
    return {name: str(value) for name, value in typed.fields.items()} if typed else {}
