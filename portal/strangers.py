"""Pages that are the same for everybody who comes without a session, but for their token and their nonce."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token

from portal.http import BrandRequest
from portal.templatetags import parts

View = Callable[[BrandRequest], HttpResponseBase]

# Marks that no template and no brand can hold, in the places of what is fresh in each page.
_TOKEN, _NONCE = "\x00token\x00", "\x00nonce\x00"
_TOKENS = re.compile(r'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}"')


def same_for_strangers(view: View) -> View:
    """Make the view's page once per process, brand's row and language for those without session and query.

    For a view that looks at nothing else of a visitor, and shows no more of a brand than its row holds. An
    answer that is no page, or that begins a session, is not kept.
    """

    @wraps(view)
    def kept(request: BrandRequest) -> HttpResponseBase:
        if not _is_a_strangers(request):
            return view(request)
        key = parts.key(request.brand, "page", request.path)
        page: _Page | None = parts.found(key)
        if page is None:
            response = view(request)
            if not isinstance(response, HttpResponse) or response.status_code != HTTPStatus.OK:
                return response
            if request.session.modified:
                return response
            page = parts.keep(key, _Page.of(request, response))
        return page.response(request)

    return kept


def _is_a_strangers(request: BrandRequest) -> bool:
    plain = request.method == "GET" and not request.META.get("QUERY_STRING")
    return plain and settings.SESSION_COOKIE_NAME not in request.COOKIES


@dataclass(frozen=True)
class _Page:
    html: str
    policy: dict[str, Any]  # What it changes in the content security policy, as django-csp notes it.

    @classmethod
    def of(cls, request: BrandRequest, response: HttpResponse) -> "_Page":
        html = _TOKENS.sub(rf'\g<1>{_TOKEN}"', response.content.decode())
        if ' nonce="' in html:
            html = html.replace(str(request.csp_nonce), _NONCE)
        return cls(html, {name: value for name, value in vars(response).items() if name.startswith("_csp_")})

    def response(self, request: BrandRequest) -> HttpResponse:
        """The page with a token and a nonce of this request."""
        html = self.html
        if _TOKEN in html:
            html = html.replace(_TOKEN, get_token(request))
        if _NONCE in html:
            html = html.replace(_NONCE, str(request.csp_nonce))
        response = HttpResponse(html)
        vars(response).update(self.policy)
        return response
