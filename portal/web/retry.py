"""Waiting times: as a Retry-After header, with an upper limit, and as a sentence."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# All in seconds.
MINUTE = 60
BUSY = 5  # A call lasts at most 15 seconds, and most of those in progress began a while ago.
_LONGEST = 3600  # A carrier may send any number; crawlers and monitors should return within the hour.
_DAY = 24 * 3600


def retry_after(seconds: int) -> str:
    """Return the value of a Retry-After header (RFC 9110, section 10.2.3)."""
    return str(min(max(1, seconds), _LONGEST))


def try_again(seconds: int | None) -> str:
    """Return a sentence that says when to try again. None means unknown: in a minute."""
    if seconds is None or seconds <= MINUTE:
        return _("Try again in a minute.")
    if seconds > _DAY:
        return _("Try again later. If it keeps happening, contact us.")
    if seconds <= 5400:
        minutes = -(-seconds // MINUTE)
        words = ngettext("Try again in %(count)d minute.", "Try again in %(count)d minutes.", minutes)
        return words % {"count": minutes}
    hours = -(-seconds // 3600)
    words = ngettext("Try again in %(count)d hour.", "Try again in %(count)d hours.", hours)
    return words % {"count": hours}
