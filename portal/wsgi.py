"""The WSGI application that `make serve` runs."""

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
    """Run Django's; of its body a request tells it the kind and the boundary of its parts, no more.

    Forms are UTF-8 here. Django would believe any other character set that a request names, even one that
    Python cannot read text with, and fail over it before it has a request to answer.
    """
    kind, _, more = environ.get("CONTENT_TYPE", "").partition(";")
    boundary = _BOUNDARY.search(f";{more}")
    environ["CONTENT_TYPE"] = f"{kind}; {boundary[1]}" if boundary else kind
    return _django(environ, start_response)
