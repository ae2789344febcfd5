"""Queries that are composed once find what a queryset finds, row for row."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from accounts.backends import StaffBackend
from accounts.models import User
from billing import kept
from billing.models import KeptStatement
from billing.periods import Period
from portal.composed import Composed
from portal.models import Brand
from tests.example import EXAMPLE

pytestmark = pytest.mark.django_db


def values(row) -> dict[str, object]:
    """All that a row holds."""
    return {name: value for name, value in vars(row).items() if name != "_state"}


def test_a_row_is_the_one_that_a_queryset_gives(aurora, borealis):
    composed = Composed(lambda: Brand.objects.filter(slug=""))
    for brand in (aurora, borealis):
        (row,) = composed.rows(brand.slug)
        assert values(row) == values(Brand.objects.get(pk=brand.pk))
        assert not row._state.adding
    assert composed.row("nobody") is None


def test_moments_and_days_are_given_as_the_database_takes_them(alice, bob):
    now = timezone.now()
    User.objects.filter(pk=alice.pk).update(verified_at=now)
    User.objects.filter(pk=bob.pk).update(verified_at=now - timedelta(seconds=1))
    composed = Composed(lambda: User.objects.filter(verified_at__gte=now).filter(email=""))
    assert composed.rows(now, alice.email) == [alice]
    assert composed.rows(now, bob.email) == []


def test_a_queryset_without_some_columns_leaves_them_for_later(aurora):
    row = Composed(lambda: Brand.objects.defer("logo").filter(slug="")).row(aurora.slug)
    assert row.get_deferred_fields() == {"logo"}
    assert bytes(row.logo) == bytes(aurora.logo)


def test_of_kept_figures_only_those_of_the_same_person_account_and_periods_are_found(aurora, alice, bob):
    months = [Period(date(2026, month, 1), date(2026, month, 28)) for month in (1, 2, 3)]
    for customer, number in ((alice, "70001"), (alice, "70009"), (bob, bob.account_number), (None, "")):
        for month in months[:2]:
            KeptStatement.objects.create(
                brand=aurora,
                customer=customer,
                account_number=number,
                figures=EXAMPLE,
                as_of=timezone.now(),
                **vars(month),
            )
    for customer in (alice, None):
        rows = kept.rows_of(aurora, customer, months)
        number = customer.account_number if customer else ""
        stored = KeptStatement.objects.filter(brand=aurora, customer=customer, account_number=number)
        assert [values(row) for row in rows[:2]] == [values(row) for row in stored.order_by("from_date")]
        assert (rows[2].pk, rows[2].customer, rows[2].account_number) == (None, customer, number)


def test_whoever_was_switched_off_or_is_gone_is_nobody(alice):
    backend = StaffBackend()
    assert values(backend.get_user(alice.pk)) == values(User.objects.get(pk=alice.pk))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert backend.get_user(alice.pk) is None
    assert backend.get_user(0) is None
