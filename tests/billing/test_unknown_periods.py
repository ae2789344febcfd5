"""A period that was asked for in vain hides nothing that is known."""

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
    asked = {"figures": EXAMPLE, "as_of": timezone.now() - timedelta(hours=1)} if known else {}
    period = {"from_date": FIRST, "to_date": to_date, "is_open": True}
    return CachedStatement.objects.create(
        brand=brand, customer=customer, account_number=number, **period, **asked
    )


@pytest.mark.parametrize("whose", ["a customer", "the partner"])
def test_the_newest_known_figures_stand_in_although_newer_ones_were_asked_for_in_vain(aurora, alice, whose):
    customer = alice if whose == "a customer" else None
    known = row(aurora, customer, SECOND)
    vain = row(aurora, customer, THIRD, known=False)
    assert statement_cache.latest_balance_row(aurora, customer) == known
    assert (
        statement_cache.fallback_row(
            CachedStatement(**{**vars_of(vain), "to_date": date(2026, 1, 22)}), FIRST
        )
        == known
    )


def vars_of(kept_row):
    names = ("brand", "customer", "account_number", "from_date", "to_date")
    return {name: getattr(kept_row, name) for name in names}


def test_the_list_of_partner_accounts_tells_the_newest_known_balance(aurora):
    known = row(aurora, None, SECOND)
    row(aurora, None, THIRD, known=False)
    (account,) = list_partner_accounts(brands=Brand.objects.all())
    assert account.figures.statement == statement_cache.build_statement(known)
