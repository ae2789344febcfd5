"""The same form sent twice makes one call.

A captcha token verifies once, so a double click, a second tab or the back button would turn a success into
a failure on the page. The first to bring a token does the work; every other is shown how that ended.
"""

import time
from collections.abc import Callable, Sequence
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

# A double click's second request stays this long for the first one's answer, in seconds.
_PATIENCE = 4.0
_PAUSE = 0.1


def submit_once(
    *, brand: Brand, kind: str, token: str, typed: Sequence[str], work: Callable[[], Outcome]
) -> Outcome:
    """Do the work if the token is new; else give the first one's outcome, or `pending`.

    A spent token under other data (`typed`; passwords stay out of it) is refused like any spent token. The
    row is written before the work and outside any transaction. If the work fails in an unforeseen way the
    outcome is unknown, because a call may have been made. Where the work raises Limited, no call was made.
    """
    token_hash = keyed_hash("captcha", brand.pk, token)
    form_hash = keyed_hash("form", kind, *typed)
    submission = _begin(brand, kind, token_hash, form_hash)
    if submission is None:
        earlier = _earlier(brand, kind, token_hash, form_hash)
        return earlier or submit_once(brand=brand, kind=kind, token=token, typed=typed, work=work)
    own = Submission.objects.filter(pk=submission.pk)
    outcome = unknown(kind)
    try:
        outcome = work()
    except Limited:
        own.delete()
        raise
    finally:
        own.update(outcome={"form": form_hash, **outcome.as_json()})
    return outcome


def _begin(brand: Brand, kind: str, token_hash: str, form_hash: str) -> Submission | None:
    now = timezone.now()
    Submission.objects.filter(created_at__lt=now - Submission.LIFETIME).delete()
    try:
        with transaction.atomic():
            return Submission.objects.create(
                brand=brand, kind=kind, token_hash=token_hash, created_at=now, outcome={"form": form_hash}
            )
    except IntegrityError:
        return None


def _earlier(brand: Brand, kind: str, token_hash: str, form_hash: str) -> Outcome | None:
    """How the first one ended; None if it gave the token back."""
    try:
        with bulkhead.CARRIERS.slot(brand):
            return _waited_for(kind, token_hash, form_hash, time.monotonic() + _PATIENCE)
    except bulkhead.BulkheadFull:
        return _waited_for(kind, token_hash, form_hash, time.monotonic())


def _waited_for(kind: str, token_hash: str, form_hash: str, until: float) -> Outcome | None:
    while submission := Submission.objects.filter(token_hash=token_hash).first():
        kept = submission.outcome or {}
        if kept.get("form") != form_hash:
            return refused("captcha_failed")
        if "state" in kept:
            return from_json(kept)
        if _is_lost(submission):
            return unknown(kind)
        if time.monotonic() >= until:
            return pending()
        bulkhead.release_db_connections()
        time.sleep(_PAUSE)
    return None


def _is_lost(submission: Submission) -> bool:
    """Whether its process must have died, or its clock was far ahead: no call takes as long as that."""
    longest = timedelta(seconds=2 * settings.CARRIER_TIMEOUTS.total + settings.EMAIL_TIMEOUT)
    return abs(timezone.now() - submission.created_at) > longest
