"""Run a form with a captcha token once, however often it is sent.

A captcha token verifies once, so a double click, a second tab or the back button would turn a success into a
failure. The first request with a token does the work; the others get its outcome.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Submission
from accounts.services.outcomes import Outcome, from_json, pending, refused, unknown
from portal.models import Brand
from portal.resilience import bulkhead
from portal.resilience.rate_limits import Limited
from portal.security.crypto import keyed_hash

_PATIENCE = 4.0  # Seconds for which a repeated request waits for the first one's outcome.
_PAUSE = 0.1


@dataclass
class SubmittedForm:
    """A form with its captcha token. If it is `new`, do the work and set `outcome`; else `outcome` is set."""

    new: bool
    outcome: Outcome


@contextmanager
def submit_once(
    *, brand: Brand, action: str, captcha_token: str, fields: Sequence[str]
) -> Iterator[SubmittedForm]:
    """Yield a form that is new if its token is; else with the first request's outcome, or `pending`.

    `fields` are what was typed, without passwords: a token that was used with other fields is refused, as
    Google would refuse it. The row is written before the work and outside any transaction. If the block
    raises, the outcome is unknown, because a call may have been made. If it raises Limited, no call was made,
    and the token can be used again.
    """
    token_hash = keyed_hash("captcha", brand.pk, captcha_token)
    form_hash = keyed_hash("form", action, *fields)
    while (row := _claim(brand, action, token_hash, form_hash)) is None:
        if earlier := _get_earlier_outcome(brand, action, token_hash, form_hash):
            yield SubmittedForm(new=False, outcome=earlier)
            return
    stored, form = Submission.objects.filter(pk=row.pk), SubmittedForm(new=True, outcome=unknown(action))
    try:
        yield form
    except Limited:
        stored.delete()
        raise
    finally:
        stored.update(outcome={"form": form_hash, **form.outcome.as_json()})


def _claim(brand: Brand, action: str, token_hash: str, form_hash: str) -> Submission | None:
    """Return a new row for the token; None if another request has one."""
    now = timezone.now()
    Submission.objects.filter(created_at__lt=now - Submission.LIFETIME).delete()
    try:
        with transaction.atomic():
            return Submission.objects.create(
                brand=brand, kind=action, token_hash=token_hash, created_at=now, outcome={"form": form_hash}
            )
    except IntegrityError:
        return None


def _get_earlier_outcome(brand: Brand, action: str, token_hash: str, form_hash: str) -> Outcome | None:
    """Return the outcome of the first request; None if that one released the token."""
    try:
        with bulkhead.CARRIERS.slot(brand):
            return _wait_for_outcome(action, token_hash, form_hash, time.monotonic() + _PATIENCE)
    except bulkhead.BulkheadFull:
        return _wait_for_outcome(action, token_hash, form_hash, time.monotonic())


def _wait_for_outcome(action: str, token_hash: str, form_hash: str, until: float) -> Outcome | None:
    while submission := Submission.objects.filter(token_hash=token_hash).first():
        stored = submission.outcome or {}
        if stored.get("form") != form_hash:
            return refused("captcha_failed")
        if "state" in stored:
            return from_json(stored)
        if _is_lost(submission):
            return unknown(action)
        if time.monotonic() >= until:
            return pending()
        bulkhead.release_db_connections()
        time.sleep(_PAUSE)
    return None


def _is_lost(submission: Submission) -> bool:
    """No call takes as long as that: its process has died, or its clock was far ahead."""
    longest = timedelta(seconds=2 * settings.CARRIER_TIMEOUTS.total + settings.EMAIL_TIMEOUT)
    return abs(timezone.now() - submission.created_at) > longest
