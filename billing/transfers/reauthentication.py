"""Pages of moving funds that want a recent proof of who opens them; see `portal.admin.reauthentication`."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse

from portal.admin.reauthentication import (
    keep_form_and_reauthenticate,
    pop_form_data,
    recently_authenticated,
    redirect_to_reauthentication,
)


def reauthentication(request: HttpRequest, back: str, names: Collection[str] = ()) -> HttpResponse | None:
    """None where it was recent; else the way there, and from there to `back`.

    `names` are the fields of a form that was sent, to be kept until then.
    """
    if recently_authenticated(request):
        return None
    if request.method == "POST":
        return keep_form_and_reauthenticate(request, back, only=names)
    return redirect_to_reauthentication(request, back)


def restore_form_data(request: HttpRequest) -> dict[str, str]:
    """What was typed on this page before one had to prove who one is; given once."""
    typed = pop_form_data(request)
    return {name: str(value) for name, value in typed.fields.items()} if typed else {}
