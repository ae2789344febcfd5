"""Rate limit of refreshes from the admin."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import ngettext

from portal.resilience import rate_limits


def consume_refresh(request: HttpRequest, account: str) -> bool:
    """Count a refresh of an account. Return False and add a message if there were too many."""
    try:
        rate_limits.consume(action="refresh", account=account)
    except rate_limits.Limited as limited:
        words = ngettext(
            "The balance was refreshed often just now. Wait %(seconds)d second.",
            "The balance was refreshed often just now. Wait %(seconds)d seconds.",
            limited.retry_after,
        )
        messages.warning(request, words % {"seconds": limited.retry_after})
        return False
    return True
