"""A period whose fetch failed does not hide figures that are known."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from billing.models import CachedStatement
from billing.statements import cache as statement_cache
from billing.statements.partner_balance import list_partner_accounts
from portal.models import Brand
from tests.support.article_statement import EXAMPLE

pytestmark = [pytest.mark.django_db, pytest.mark.database]
FIRST, SECOND, THIRD = date(2026, 1, 1), date(2026, 1, 20), date(2026, 1, 21)


def row(brand, customer, to_date, known=True):
    number = customer.account_number if customer else ""
    stored = {"figures": EXAMPLE, "as_of": timezone.now() - timedelta(hours=1)} if known else {}
    period = {"from_date": FIRST, "to_date": to_date, "is_open": True}
    return CachedStatement.objects.create(
        brand=brand, customer=customer, account_number=number, **period, **stored
    )


@pytest.mark.parametrize("owner", ["a customer", "the partner"])
def test_newest_known_figures_are_the_fallback_despite_newer_failures(aurora, alice, owner):
    customer = alice if owner == "a customer" else None
    known = row(aurora, customer, SECOND)
    failed = row(aurora, customer, THIRD, known=False)
    assert statement_cache.get_latest_balance_row(aurora, customer) == known
    assert (
        statement_cache.get_fallback_row(
            CachedStatement(**{**key_fields(failed), "to_date": date(2026, 1, 22)}), FIRST
        )
        == known
    )


def key_fields(cached_row):
    names = ("brand", "customer", "account_number", "from_date", "to_date")
    return {name: getattr(cached_row, name) for name in names}


def test_partner_account_list_shows_the_newest_known_balance(aurora):
    known = row(aurora, None, SECOND)
    row(aurora, None, THIRD, known=False)
    (account,) = list_partner_accounts(brands=Brand.objects.all())
    assert account.figures.statement == statement_cache.build_statement(known)
