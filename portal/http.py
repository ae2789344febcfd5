"""The request as our middleware leaves it, for the type checker and for readers."""

from django.http import HttpRequest

from portal.models import Brand


class BrandRequest(HttpRequest):
    """A request on a brand's host."""

    brand: Brand
    client_address: str
    client_network: str
    csp_nonce: str
