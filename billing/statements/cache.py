"""The rows behind kept figures: finding them, claiming one for a call, storing what came of it."""

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

RUNNING_FRESH = timedelta(seconds=60)
SETTLED_FRESH = timedelta(days=1)  # Of a period that is over.
JUST_FAILED = timedelta(seconds=10)  # So long nobody asks again, where there is something to show.
_STILL_A_BALANCE = timedelta(days=40)  # A balance at the end of an older period tells nobody anything.
_ODD_KEPT = timedelta(days=7)
_ODD_MOST = 100  # Of one account: whoever makes up periods must not make rows without end.
_MONTH = Q(from_date__day=1, to_date__day__gte=28, from_date__month=F("to_date__month"), is_open=False)
_RUNNING = Q(from_date__day=1, is_open=True)
WAVES = 4  # A reader's calls are made four at a time; a year's and this month's are the most.
_GRACE = 2  # Seconds for which a claim outlasts the longest call.


def get_rows(brand: Brand, customer: User | None, periods: Sequence[Period]) -> list[CachedStatement]:
    """A row for each period, in order, in one query; one that is not stored yet has no key."""
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
    """Whether the row's figures spare a call; `day` is the brand's today.

    What was asked for while its period ran is no settled figure, however old it is.
    """
    settled = row.to_date < day and not row.is_open
    return _is_within(SETTLED_FRESH if settled else RUNNING_FRESH, row.as_of)


def has_just_failed(row: CachedStatement) -> bool:
    """Whether the last known figures are shown without a new try, because one failed a moment ago."""
    return row.figures is not None and bool(row.error) and _is_within(JUST_FAILED, row.attempted_at)


def _is_within(span: timedelta, moment: datetime | None) -> bool:
    """Whether the moment was so short ago. One still to come is of a wrong clock, and counts as long past."""
    return moment is not None and timedelta() <= timezone.now() - moment <= span


def longest_claim(waves: int = WAVES) -> timedelta:
    """How long a claim holds for a call that is the last of so many, made one after the other."""
    return timedelta(seconds=settings.CARRIER_TIMEOUTS.total * waves + _GRACE)


def is_claimed(row: CachedStatement) -> bool:
    """Whether somebody is asking for this row. A claim for longer than any holds is of a wrong clock."""
    now = timezone.now()
    return row.claimed_until is not None and now <= row.claimed_until <= now + longest_claim()


def claim(row: CachedStatement, until: datetime) -> bool:
    """Make the call for this row ours, unless somebody else has it, or has had it since the row was read."""
    if row.pk is None:
        return _create(row, until)
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=now + longest_claim())
    same = CachedStatement.objects.filter(pk=row.pk, as_of=row.as_of, attempted_at=row.attempted_at).filter(free)
    if not same.update(claimed_until=until):
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
    if _is_odd(row):
        odd = CachedStatement.objects.filter(~_MONTH, ~_RUNNING, brand=row.brand, customer=row.customer)
        odd.filter(pk__in=odd.order_by("-pk").values("pk")[_ODD_MOST:]).delete()
    return True


def _is_odd(row: CachedStatement) -> bool:
    """Whether it is no whole month, nor one that runs: of the others a visitor may make up thousands."""
    last = row.to_date
    is_month = last.day >= 28 and last.month == row.from_date.month
    return row.from_date.day != 1 or not (is_month or last >= today(row.brand))


def store_statement(row: CachedStatement, statement: Statement, *, at: datetime, running: bool) -> None:
    """Keep what was asked for at that moment, and give the claim back; `running`: the period was not over."""
    row.figures = {name: f"{amount:f}" for name, amount in asdict(statement).items()}
    row.as_of, row.is_open, row.error, row.attempted_at = at, running, "", timezone.now()
    release_claim(row, "figures", "as_of", "running", "trouble", "attempted_at")


def store_failure(row: CachedStatement, trouble: str) -> None:
    """Note why nothing came, and give the claim back; what was kept stays."""
    row.error, row.attempted_at = trouble, timezone.now()
    release_claim(row, "trouble", "attempted_at")


def release_claim(row: CachedStatement, *names: str) -> None:
    """Let others claim the row, and write down the columns of these names."""
    values = {name: getattr(row, name) for name in names}
    CachedStatement.objects.filter(pk=row.pk).update(claimed_until=None, **values)
    row.claimed_until = None


def build_statement(row: CachedStatement) -> Statement | None:
    """The kept figures, exact."""
    if row.figures is None:
        return None
    return Statement(**{name: Decimal(amount) for name, amount in row.figures.items()})


def fallback_row(row: CachedStatement, day: date) -> CachedStatement | None:
    """The newest known figures of a period that began on the same day and ran until a day before.

    Only for a period that still runs: what is over cannot have another end.
    """
    if row.to_date < day:
        return None
    earlier = _own(row.brand, row.customer).filter(from_date=row.from_date, to_date__lt=row.to_date)
    return earlier.filter(figures__isnull=False).order_by("-to_date").first()


def latest_balance_row(brand: Brand, customer: User | None) -> CachedStatement | None:
    """The row whose closing balance is the newest balance that we know; its `as_of` is that balance's moment.

    That is when it was asked for, or the end of a period that was over by then.
    """
    recent = Q(is_open=True) | Q(to_date__gte=today(brand) - _STILL_A_BALANCE)
    rows = _own(brand, customer).filter(recent).filter(figures__isnull=False)
    row = rows.order_by("-to_date", "-as_of").first()
    if row and row.as_of and not row.is_open:
        end = datetime.combine(row.to_date + timedelta(days=1), time(), brand.zone)
        row.as_of = min(row.as_of, end)
    return row


def prune_statements() -> int:
    """Remove what nobody has asked for in a while; how many.

    Whole months that are over stay longest, for the history; a running month 40 days, for the last known
    balance; any other period, of which a visitor may make up thousands, a week.
    """
    rows = CachedStatement.objects
    old = (
        rows.filter(_untried_for(CachedStatement.RETENTION)),
        rows.filter(_untried_for(_STILL_A_BALANCE), ~_MONTH),
        rows.filter(_untried_for(_ODD_KEPT), ~_MONTH, ~_RUNNING),
    )
    return sum(each.delete()[0] for each in old)


def _untried_for(age: timedelta) -> Q:
    before = timezone.now() - age
    return Q(tried_at__lt=before) | Q(attempted_at=None, claimed_until__lt=before)
