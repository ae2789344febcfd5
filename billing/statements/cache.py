"""Rows of cached statements: find them, claim one for a call, store its result."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement
from billing.statements.periods import Period, today
from portal.models import Brand
from portal.voipline import Statement

OPEN_FRESH = timedelta(seconds=60)
CLOSED_FRESH = timedelta(days=1)
JUST_FAILED = timedelta(seconds=10)  # No new attempt for so long, if there is something to show.
_BALANCE_AGE = timedelta(days=40)  # The closing balance of an older period is no use.
_CUSTOM_RETENTION = timedelta(days=7)
_CUSTOM_MOST = 100  # Rows of one account, as a customer can request any number of periods.
_MONTH = Q(from_date__day=1, to_date__day__gte=28, from_date__month=F("to_date__month"), is_open=False)
_OPEN_MONTH = Q(from_date__day=1, is_open=True)
WAVES = 4  # A reader's calls are made four at a time; the most are a year's and this month's.
_GRACE = 2  # Seconds for which a claim outlasts the longest call.


def get_rows(brand: Brand, customer: User | None, periods: Sequence[Period]) -> list[CachedStatement]:
    """Return a row for each period, in order, in one query; one that is not stored yet has no primary key."""
    rows = _own(brand, customer).filter(
        from_date__in=[period.from_date for period in periods],
        to_date__in=[period.to_date for period in periods],
    )
    found = {Period(row.from_date, row.to_date): row for row in rows}
    return [found.get(period) or _new(brand, customer, period) for period in periods]


def _own(brand: Brand, customer: User | None) -> QuerySet[CachedStatement]:
    number = customer.account_number if customer else ""
    return CachedStatement.objects.filter(brand=brand, customer=customer, account_number=number)


def _new(brand: Brand, customer: User | None, period: Period) -> CachedStatement:
    number = customer.account_number if customer else ""
    return CachedStatement(brand=brand, customer=customer, account_number=number, **vars(period))


def is_fresh(row: CachedStatement, day: date) -> bool:
    """Return True if the row needs no call; `day` is the brand's today.

    A statement that was fetched while its period was open is not final, however old it is.
    """
    is_final = row.to_date < day and not row.is_open
    return _is_within(CLOSED_FRESH if is_final else OPEN_FRESH, row.as_of)


def has_just_failed(row: CachedStatement) -> bool:
    """Return True if the last attempt failed a moment ago and there is an older statement to show."""
    return row.figures is not None and bool(row.error) and _is_within(JUST_FAILED, row.attempted_at)


def _is_within(span: timedelta, moment: datetime | None) -> bool:
    """True if the moment is at most `span` ago. One in the future comes from a wrong clock: False."""
    return moment is not None and timedelta() <= timezone.now() - moment <= span


def longest_claim(waves: int = WAVES) -> timedelta:
    """Return how long to claim a row whose call is in the last of so many waves."""
    return timedelta(seconds=settings.CARRIER_TIMEOUTS.total * waves + _GRACE)


def is_claimed(row: CachedStatement) -> bool:
    """Return True while a request may be fetching this row. A longer claim comes from a wrong clock."""
    now = timezone.now()
    return row.claimed_until is not None and now <= row.claimed_until <= now + longest_claim()


def claim(row: CachedStatement, until: datetime) -> bool:
    """Claim the row for our call. False if another request has it, or has had it since the row was read."""
    if row.pk is None:
        return _create(row, until)
    now = timezone.now()
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=now + longest_claim())
    unchanged = CachedStatement.objects.filter(
        pk=row.pk, as_of=row.as_of, attempted_at=row.attempted_at
    ).filter(unclaimed)
    if not unchanged.update(claimed_until=until):
        return False
    row.claimed_until = until
    return True


def _create(row: CachedStatement, until: datetime) -> bool:
    row.claimed_until = until
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # Another request was first.
        stored = get_rows(row.brand, row.customer, [Period(row.from_date, row.to_date)])[0]
        row.pk, row.claimed_until = stored.pk, stored.claimed_until
        return False
    if _is_custom(row):
        custom = CachedStatement.objects.filter(~_MONTH, ~_OPEN_MONTH, brand=row.brand, customer=row.customer)
        custom.filter(pk__in=custom.order_by("-pk").values("pk")[_CUSTOM_MOST:]).delete()
    return True


def _is_custom(row: CachedStatement) -> bool:
    """True unless it is a whole month or the current one: a customer can request thousands of others."""
    last = row.to_date
    is_month = last.day >= 28 and last.month == row.from_date.month
    return row.from_date.day != 1 or not (is_month or last >= today(row.brand))


def store_statement(row: CachedStatement, statement: Statement, *, at: datetime, is_open: bool) -> None:
    """Store a statement requested `at` that moment, release the claim. `is_open`: the period was not over."""
    row.figures = {name: f"{amount:f}" for name, amount in asdict(statement).items()}
    row.as_of, row.is_open, row.error, row.attempted_at = at, is_open, "", timezone.now()
    release_claim(row, "figures", "as_of", "is_open", "error", "attempted_at")


def store_failure(row: CachedStatement, error: str) -> None:
    """Store the error and release the claim; the stored statement stays."""
    row.error, row.attempted_at = error, timezone.now()
    release_claim(row, "error", "attempted_at")


def release_claim(row: CachedStatement, *names: str) -> None:
    """Release the claim and save these fields of the row."""
    values = {name: getattr(row, name) for name in names}
    CachedStatement.objects.filter(pk=row.pk).update(claimed_until=None, **values)
    row.claimed_until = None


def build_statement(row: CachedStatement) -> Statement | None:
    """Return the stored statement with its exact amounts; None if there is none."""
    if row.figures is None:
        return None
    return Statement(**{name: Decimal(amount) for name, amount in row.figures.items()})


def get_fallback_row(row: CachedStatement, day: date) -> CachedStatement | None:
    """Return the newest row with a statement that began on the same day and ended earlier.

    Only for a period that is still open: one that is over has its own end.
    """
    if row.to_date < day:
        return None
    earlier = _own(row.brand, row.customer).filter(from_date=row.from_date, to_date__lt=row.to_date)
    return earlier.filter(figures__isnull=False).order_by("-to_date").first()


def get_latest_balance_row(brand: Brand, customer: User | None) -> CachedStatement | None:
    """Return the row whose closing balance is the newest known balance, with `as_of` set to its moment.

    That is when it was requested, or the end of a period that was over by then.
    """
    recent = Q(is_open=True) | Q(to_date__gte=today(brand) - _BALANCE_AGE)
    rows = _own(brand, customer).filter(recent).filter(figures__isnull=False)
    row = rows.order_by("-to_date", "-as_of").first()
    if row and row.as_of and not row.is_open:
        end = datetime.combine(row.to_date + timedelta(days=1), time(), brand.zone)
        row.as_of = min(row.as_of, end)
    return row


def prune_statements() -> int:
    """Delete rows that were not requested for a while; return how many.

    Whole months stay longest, for the history; an open month 40 days, for the last known balance; any other
    period, of which a customer can request thousands, a week.
    """
    rows = CachedStatement.objects
    old = (
        rows.filter(_not_attempted_for(CachedStatement.RETENTION)),
        rows.filter(_not_attempted_for(_BALANCE_AGE), ~_MONTH),
        rows.filter(_not_attempted_for(_CUSTOM_RETENTION), ~_MONTH, ~_OPEN_MONTH),
    )
    return sum(each.delete()[0] for each in old)


def _not_attempted_for(age: timedelta) -> Q:
    before = timezone.now() - age
    return Q(attempted_at__lt=before) | Q(attempted_at=None, claimed_until__lt=before)
