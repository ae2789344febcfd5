"""A page that is the same for everybody who comes without a session, but for its token and its nonce."""

import re
from collections.abc import Callable, Hashable

from django.middleware.csrf import get_token

from portal.http import BrandRequest
from portal.templatetags.parts import kept_for

# Marks that no template and no brand can hold, in the places of what is fresh in each page.
_TOKEN, _NONCE = "\x00token\x00", "\x00nonce\x00"
_TOKENS = re.compile(r'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}"')


def strangers_page(request: BrandRequest, key: tuple[Hashable, ...], make: Callable[[], str]) -> str:
    """The page of this key, made once per process, with a token and a nonce of this request."""

    def made() -> str:
        page = _TOKENS.sub(rf'\g<1>{_TOKEN}"', make())
        return page.replace(str(request.csp_nonce), _NONCE) if ' nonce="' in page else page

    page = kept_for(request.brand, ("page", *key), made)
    if _TOKEN in page:
        page = page.replace(_TOKEN, get_token(request))
    return page.replace(_NONCE, str(request.csp_nonce)) if _NONCE in page else page
