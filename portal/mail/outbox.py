"""Emails that can wait: a row each, which the worker sends, and tries again later if the mail server refuses.

A mail is sent at least once: a worker that is killed between sending it and marking its row sends it again
after a minute.
"""

import logging
import smtplib
import threading
import time
from collections.abc import Mapping
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from portal.jobs import periodic
from portal.mail import send as mail
from portal.mail import smtp_backend
from portal.models import Brand, Email

logger = logging.getLogger(__name__)

_UNSURE = timedelta(minutes=15)  # Until a mail is sent again that the server did not confirm.
_LEASE = timedelta(minutes=1)  # Longer than one mail may take (`smtp_backend.TOTAL`).
# Between two tries; after the last one, a day and a half, the mail is given up.
_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 480, 720, 720)]
_MOST, _LONGEST = 500, 50  # Mails and seconds of one run. What is left is due in the next one.
_UNREACHABLE = (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected)
_one_at_a_time = threading.Lock()  # A silent mail server must not hold all threads of the worker.


def add(
    *, brand: Brand, to: str, template: str, language: str = "", person: int | None = None, **values: object
) -> None:
    """Let the worker send this mail after the transaction. `values` are JSON, for its template; no secrets.

    The template also gets `asked_at`, the moment of this call.
    """
    Email.objects.create(
        brand=brand,
        to=to,
        template=template,
        language=language,
        person_id=person,
        values=values,
        next_try_at=timezone.now(),
    )
    periodic.wake(send_emails.__name__)


def send_emails() -> int:
    """Send the mails that are due; return how many the mail server took.

    If it cannot be reached, or does not answer, the others wait for the next run. In one process one run is
    under way at a time.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        return _send_due()
    finally:
        _one_at_a_time.release()


def _send_due() -> int:
    until, taken, now = time.monotonic() + _LONGEST, 0, timezone.now()
    # A time further away than any pause comes from a wrong clock.
    due = Q(next_try_at__lte=now) | Q(next_try_at__gt=now + max(_PAUSES) + _LEASE)
    for row in Email.objects.filter(due).order_by("next_try_at").select_related("brand")[:_MOST]:
        if time.monotonic() > until:
            break
        if not _claim(row):
            continue
        error = _try(row)
        taken += error is None
        if isinstance(error, _UNREACHABLE) or (
            isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException)
        ):
            break
    return taken


def _claim(row: Email) -> bool:
    """Take the row for a minute. False if another worker has it, or has had it since it was read."""
    unclaimed = Email.objects.filter(pk=row.pk, next_try_at=row.next_try_at)
    row.next_try_at, row.tries = timezone.now() + _LEASE, row.tries + 1
    return bool(unclaimed.update(next_try_at=row.next_try_at, tries=F("tries") + 1))


def _try(row: Email) -> BaseException | None:
    """Send one mail, and store when to try again. Return why it was not sent."""
    try:
        if not mail.deliver(row, {**row.values, "asked_at": row.asked_at}) and row.tries == 1:
            # It may have arrived, or never. Once more is better than not at all.
            _update(row, taken_at=None, next_try_at=timezone.now() + _UNSURE)
            return smtp_backend.Unacknowledged()
    except mail.MailNotSent as failed:
        error = failed.__cause__
    except Exception as broken:  # A template, for example. One mail must not keep the others from being sent.
        logger.exception("mail not made", extra={"brand": row.brand.slug, "template": row.template})
        _update(row, refusal=type(broken).__name__)
        error = broken
    else:
        _end(row)
        return None
    if _is_final(error) or row.tries > len(_PAUSES):
        logger.error("mail given up", extra={"brand": row.brand.slug, "tries": row.tries})
        _end(row)
    else:
        _update(row, next_try_at=timezone.now() + _PAUSES[row.tries - 1])
    return error


def _end(row: Email) -> None:
    _update(row, next_try_at=None, values={})


def _update(row: Email, **changes: object) -> None:
    """Store changes, unless another worker has taken the row since, because this one was slow."""
    Email.objects.filter(pk=row.pk, next_try_at=row.next_try_at).update(**changes)


def _is_final(error: BaseException | None) -> bool:
    """Return True if trying again is useless: a permanent refusal of the address (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    return isinstance(error, UnicodeError)


def count_waiting() -> Mapping[tuple[str, ...], float]:
    """Return how many emails wait to be sent."""
    return {(): Email.objects.filter(next_try_at__isnull=False).count()}


def prune_emails() -> int:
    """Delete the rows of emails after 90 days; return how many."""
    return Email.objects.filter(asked_at__lt=timezone.now() - Email.KEPT).delete()[0]
