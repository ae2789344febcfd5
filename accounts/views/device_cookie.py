"""The cookie by which limits know a browser that has signed in before; see `sign_in.device_cookies`."""

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from accounts.sign_in.device_cookies import LIFETIME, Visitor, add_device, find_device
from accounts.views.session import browser_secret
from portal.web.http import BrandRequest

Response = TypeVar("Response", bound=HttpResponse)


def get_device(request: HttpRequest, email: str) -> str:
    """What limits count this browser as when it asks for this address; empty for a stranger's."""
    brand = request.brand  # type: ignore[attr-defined]
    return find_device(brand=brand, email=email, cookie=_cookie(request))


def get_visitor(request: BrandRequest, email: str) -> Visitor:
    """Who sends this form for this address. Nothing is kept of it before the form is taken."""
    return Visitor(request.client_network, browser_secret(request), get_device(request, email))


def rate_limit_key(request: HttpRequest, device: str) -> str:
    """Whose requests a limit per network counts: the device's, where there is one, else the network's."""
    return f"device {device}" if device else str(request.client_network)  # type: ignore[attr-defined]


def set_device_cookie(request: HttpRequest, response: Response, user: User) -> Response:
    """The answer, with which this browser is remembered as one that has just proved the user's address."""
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        add_device(user=user, cookie=_cookie(request)),
        max_age=LIFETIME,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _cookie(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
