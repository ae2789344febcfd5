"""How long somebody is asked to wait: in words, and in a header that no robot takes for a farewell."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE = 60  # Seconds, as all here.
BUSY = 5  # A call lasts 15 at the most, and most that wait have begun a while ago.
_LONGEST = 3600  # A carrier may name any number; a page is worth another look within the hour.
_DAY = 24 * 3600


def retry_after(seconds: int) -> str:
    """The value of a Retry-After header (RFC 9110, section 10.2.3)."""
    return str(min(max(1, seconds), _LONGEST))


def try_again(seconds: int | None) -> str:
    """When it is worth trying again, as one sentence; None where nobody knows better than in a minute."""
    if seconds is None or seconds <= MINUTE:
        return _("Please try again in a minute.")
    if seconds > _DAY:
        return _("Please try again later. If it keeps happening, contact us.")
    if seconds <= 5400:
        minutes = -(-seconds // MINUTE)
        words = ngettext(
            "Please try again in %(count)d minute.", "Please try again in %(count)d minutes.", minutes
        )
        return words % {"count": minutes}
    hours = -(-seconds // 3600)
    words = ngettext("Please try again in %(count)d hour.", "Please try again in %(count)d hours.", hours)
    return words % {"count": hours}
