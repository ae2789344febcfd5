"""WSGI application for `make serve`."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["PORTAL_PAGES"] = "True"

_django = get_wsgi_application()
_BOUNDARY = re.compile(r';\s*(boundary=(?:"[^"]*"|[^\s;]*))', re.IGNORECASE)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Run Django's application, with all parameters but `boundary` removed from Content-Type.

    Forms are always UTF-8. Django would accept any charset that a request names, even one that is not a text
    encoding, and fail before it has a request to answer.
    """
    kind, _, more = environ.get("CONTENT_TYPE", "").partition(";")
    boundary = _BOUNDARY.search(f";{more}")
    environ["CONTENT_TYPE"] = f"{kind}; {boundary[1]}" if boundary else kind
    return _django(environ, start_response)
