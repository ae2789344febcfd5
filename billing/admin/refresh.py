"""Asking the carrier anew from a page of the admin: so often, and no more."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import ngettext

from portal.resilience import rate_limits


def consume_refresh(request: HttpRequest, whose: str) -> bool:
    """Count one refresh of somebody's figures; False, and the reader is told, where there were too many."""
    try:
        rate_limits.consume(action="refresh", account=whose)
    except rate_limits.Limited as limited:
        words = ngettext(
            "The figures were refreshed often just now. Please wait %(seconds)d second.",
            "The figures were refreshed often just now. Please wait %(seconds)d seconds.",
            limited.retry_after,
        )
        messages.warning(request, words % {"seconds": limited.retry_after})
        return False
    return True
