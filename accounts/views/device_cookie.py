"""Read and set the device cookie; see `accounts.sign_in.device_cookies`."""

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from accounts.sign_in.device_cookies import LIFETIME, Visitor, add_device, find_device
from accounts.sign_in.user_agents import describe_user_agent
from accounts.views.session import browser_secret
from portal.web.http import BrandRequest

Response = TypeVar("Response", bound=HttpResponse)


def get_device(request: HttpRequest, email: str) -> str:
    """Return the name under which limits count this browser for this address; empty if it is unknown."""
    brand = request.brand  # type: ignore[attr-defined]
    return find_device(brand=brand, email=email, cookie=_cookie(request))


def get_visitor(request: BrandRequest, email: str) -> Visitor:
    """Return the sender of a form for this address. Nothing is stored."""
    return Visitor(
        request.client_network, browser_secret(request), get_device(request, email), get_client(request)
    )


def get_client(request: HttpRequest) -> tuple[str, str]:
    """Return our names for the visitor's browser and system, each empty if unknown."""
    return describe_user_agent(request.headers.get("User-Agent", ""))


def rate_limit_key(request: HttpRequest, device: str) -> str:
    """Return the key of a limit per network: the device if known, else the client network."""
    return f"device {device}" if device else str(request.client_network)  # type: ignore[attr-defined]


def set_device_cookie(request: HttpRequest, response: Response, user: User) -> Response:
    """Set the cookie of a browser that has just verified the user's address. Return the response."""
    recognise_browser(request, response, user)
    return response


def recognise_browser(request: HttpRequest, response: HttpResponse, user: User) -> str:
    """Set that cookie, and return the name of the browser in it."""
    cookie, name = add_device(user=user, cookie=_cookie(request))
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        cookie,
        max_age=LIFETIME,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )
    return name


def _cookie(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
