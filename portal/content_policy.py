"""django-csp's middleware, which composes each page's policy anew; here one that is like another is kept."""

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject
from csp.middleware import CSPMiddleware as Original
from csp.utils import build_policy
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_MOST = 1000  # Policies differ by what a view and a brand's login hosts add.
_NONCE = "nonce-of-this-page"
_kept: dict[str, str] = {}


class CSPMiddleware(Original):
    """Sets the policy of settings, with what a view has changed in it, and the page's nonce where it has one.

    Neither prefixes, exemptions nor a policy that only reports: nothing here uses them.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """An answer that has a policy already keeps it."""
        parts = self.get_policy_parts(request, response)
        key = repr((parts.config, parts.update, parts.replace, parts.nonce is None))
        policy = _kept.get(key)
        if policy is None:
            if len(_kept) >= _MOST:
                _kept.clear()
            mark = None if parts.nonce is None else _NONCE
            policy = _kept[key] = build_policy(parts.config, parts.update, parts.replace, mark)
        response.setdefault(HEADER, policy.replace(_NONCE, parts.nonce or _NONCE))
        if parts.nonce is None:  # One that is asked for from here on would not be in the policy.
            setattr(request, "csp_nonce", CheckableLazyObject(self._csp_nonce_post_response))  # noqa: B010
        return response
