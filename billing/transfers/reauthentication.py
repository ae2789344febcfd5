"""Pages of moving funds that want a recent proof of who opens them; see `portal.fresh_proof`."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse

from portal import fresh_proof


def reauthentication(request: HttpRequest, back: str, names: Collection[str] = ()) -> HttpResponse | None:
    """None where it was recent; else the way there, and from there to `back`.

    `names` are the fields of a form that was sent, to be kept until then.
    """
    if fresh_proof.recently_authenticated(request):
        return None
    if request.method == "POST":
        return fresh_proof.keep_and_prove(request, back, only=names)
    return fresh_proof.to_proof(request, back)


def typed_before(request: HttpRequest) -> dict[str, str]:
    """What was typed on this page before one had to prove who one is; given once."""
    typed = fresh_proof.typed_before(request)
    return {name: str(value) for name, value in typed.fields.items()} if typed else {}
