"""Watch each brand's partner balance: at zero the carrier cuts off all of the brand's customers at once."""

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts.staff.notices import list_recipients, queue_emails
from billing.episodes import Limit, Notice, advance, limit
from billing.models import PartnerAlert
from billing.statements.forecast import round_to_cents
from billing.statements.partner_balance import LOW_DAYS, Account, get_partner_account
from portal.carrier.connection_proof import is_connection_verified
from portal.core.money import format_money
from portal.mail.send import admin_link
from portal.models import Brand

logger = logging.getLogger(__name__)

_EVERY = timedelta(minutes=5)
_APART = timedelta(hours=1)  # Between two emails of a kind. All calls can stop twice in one day.
_MOST_DAYS = 100_000
_LONGEST = 50  # Seconds of one run. What is left is due in the next minute, beside it.


def watch_partner_balances() -> int:
    """Read the partner balances that are due, and email staff if needed. Return how many were read.

    A brand is read every five minutes, if its connection has been proven. Two hundred brands are forty calls
    a minute, far below the carrier's limits (`rate_limits`), and readers are never refused for them.
    """
    _add_missing_rows()
    until, count = time.monotonic() + _LONGEST, 0
    now = timezone.now()
    # A time further away than the next reading comes from a wrong clock.
    due = PartnerAlert.objects.filter(Q(next_read_at__lte=now) | Q(next_read_at__gt=now + 2 * _EVERY))
    for row in due.order_by("next_read_at").select_related("brand"):
        if time.monotonic() > until:
            break
        try:
            count += _claim(row) and is_connection_verified(row.brand) and _read(row)
        except Exception:  # One brand must not keep the others from being read.
            logger.exception("partner balance not read", extra={"brand": row.brand.slug})
    return count


def _add_missing_rows() -> None:
    """Add a row for each new brand, and spread them over the five minutes."""
    brands = Brand.objects.filter(partner_alert=None).values_list("pk", flat=True)
    now, seconds = timezone.now(), int(_EVERY.total_seconds())
    rows = [
        PartnerAlert(brand_id=pk, next_read_at=now + timedelta(seconds=pk * 37 % seconds)) for pk in brands
    ]
    PartnerAlert.objects.bulk_create(rows, ignore_conflicts=True)


def _claim(row: PartnerAlert) -> bool:
    """Take the row until its next reading is due. False if another worker has it."""
    mine = PartnerAlert.objects.filter(pk=row.pk, next_read_at=row.next_read_at)
    return bool(mine.update(next_read_at=timezone.now() + _EVERY))


def _read(row: PartnerAlert) -> bool:
    """Read one balance and queue an email if one is due. An unknown or old balance changes nothing."""
    account = get_partner_account(brand=row.brand)
    if account.figures.statement is None or account.figures.error or account.figures.as_of is None:
        return False
    balance = account.figures.statement.closing_balance
    days = None if account.status.days is None else min(account.status.days, _MOST_DAYS)
    with transaction.atomic():
        # Locked, so that of two readings at once the second sees what was sent for the first.
        row = PartnerAlert.objects.select_for_update().select_related("brand").get(pk=row.pk)
        if row.read_at and account.figures.as_of < row.read_at <= timezone.now():
            return False
        low, stopped = _limits(account)
        now = timezone.now()
        episode, notice = advance(row.episode, round_to_cents(balance), low, stopped, now, _APART)
        PartnerAlert.objects.filter(pk=row.pk).update(
            read_at=account.figures.as_of, balance=balance, days=days, **vars(episode)
        )
        if notice:
            _tell(row.brand, notice, balance, days)
    return True


def _limits(account: Account) -> tuple[Limit | None, Limit]:
    """Return the limits of the account: seven days of its spending, if known, and zero."""
    per_day = account.status.spending.per_day
    return (limit(round_to_cents(per_day * LOW_DAYS)) if per_day else None), limit(Decimal(0))


def _tell(brand: Brand, notice: Notice, balance: Decimal, days: int | None) -> None:
    """Queue the email to the brand's staff and the operators."""
    logger.warning("partner balance", extra={"brand": brand.slug, "notice": notice})
    url = admin_link(reverse("partner_page", urlconf=settings.ADMIN_URLCONF, args=(brand.pk,)))
    queue_emails(
        people=list_recipients(brand=brand, kind="partner_balance"),
        brand=brand,
        template="partner_balance",
        values={"notice": notice, "days": days, "url": url},
        in_words={"amount": lambda: format_money(balance, brand)},
    )


def get_balances() -> Mapping[tuple[str, ...], float]:
    """Return each brand's partner balance as last read, in its currency."""
    rows = PartnerAlert.objects.filter(read_at__isnull=False).values_list("brand__slug", "balance")
    return {(slug,): float(balance) for slug, balance in rows if balance is not None}


def get_levels() -> Mapping[tuple[str, ...], float]:
    """Return 0 for each brand whose partner balance is fine, 1 if it is low, 2 at zero or below."""
    rows = PartnerAlert.objects.filter(level__isnull=False).values_list("brand__slug", "level")
    return {(slug,): float(level or 0) for slug, level in rows}
