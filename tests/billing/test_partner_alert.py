"""The partner alarm: read on a schedule, told once per episode to the brand's people, in their language."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import User
from billing.alerts import partner
from billing.alerts.partner import watch_partner_balances
from billing.models import CachedStatement, PartnerAlert
from billing.statements.partner_balance import past_months
from billing.statements.periods import this_month, today
from portal.carrier.connection_proof import check_connection
from portal.mail.outbox import send_emails
from portal.models import Brand, Email
from tests.billing.test_partner_balance import set_partner_balance
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import at_once, words
from tests.support.gunicorn_server import TOKEN
from tests.support.transfers import staff_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched(simulator: Simulator, aurora: Brand) -> Brand:
    """Aurora, whose connection is proven and whose balance was read once."""
    check_connection(brand=aurora)
    read()
    return aurora


def read() -> int:
    """Let all readings be due, and none be answered from stored figures."""
    watch_partner_balances()  # Adds the rows of new brands.
    PartnerAlert.objects.update(next_read_at=timezone.now())
    CachedStatement.objects.filter(is_open=True).update(as_of=timezone.now() - timedelta(minutes=2))
    return watch_partner_balances()


def sent() -> list[tuple[str, str]]:
    """Send what waits; return (recipient, subject)."""
    send_emails()
    found = sorted((message.to[0], message.subject) for message in mail.outbox)
    mail.outbox.clear()
    return found


def pass_a_day() -> None:
    for row in PartnerAlert.objects.all():
        row.low_at = row.low_at and row.low_at - timedelta(days=1)
        row.stopped_at = row.stopped_at and row.stopped_at - timedelta(days=1)
        row.save()


@pytest.mark.database
def test_staff_and_operators_are_told_once_when_it_is_low_used_up_and_back(
    watched: Brand, sam: User, operator: User, borealis: Brand
) -> None:
    bea = staff_of(borealis, "bea@example.com")
    pace = PartnerAlert.objects.get(brand=watched).balance / PartnerAlert.objects.get(brand=watched).days
    set_partner_balance(watched, (pace * 5).quantize(Decimal("0.01")))
    assert [read(), read()] == [1, 1]
    low = sent()
    assert [to for to, _ in low] == ["olga@example.com", "sam@example.com"]
    assert "partner balance is low: $" in low[0][1]
    set_partner_balance(watched, Decimal("-3.50"))
    assert [read(), read()] == [1, 1]
    assert sent() == [
        (to, "All customers of Aurora Phone are cut off") for to in ("olga@example.com", "sam@example.com")
    ]
    set_partner_balance(watched, Decimal(100000))
    read()
    assert all("is back: $100,000.00" in subject for _, subject in sent())
    assert bea.email not in {row.to for row in Email.objects.all()}


def test_mail_says_what_happened_and_where_to_look(watched: Brand, sam: User) -> None:
    User.objects.filter(pk=sam.pk).update(language="es")
    set_partner_balance(watched, Decimal("-3.50"))
    read()
    send_emails()
    [message] = mail.outbox
    assert "https://admin.test/admin/billing/partner/" in message.body
    assert "-3.50" in message.body.replace("\u2212", "-").replace("\u2060", "").replace(",", ".")
    assert 'lang="es"' in message.alternatives[0].content


def test_mail_to_staff_has_the_installations_sender(watched: Brand, sam: User, settings: Any) -> None:
    settings.STAFF_EMAIL_FROM = "Portal <portal@operator.example>"
    set_partner_balance(watched, Decimal(0))
    read()
    send_emails()
    [message] = mail.outbox
    assert (message.from_email, message.reply_to) == ("Portal <portal@operator.example>", [])
    assert message.extra_headers["Message-ID"].endswith("@operator.example>")


def test_first_reading_is_silent(simulator: Simulator, aurora: Brand, sam: User) -> None:
    check_connection(brand=aurora)
    set_partner_balance(aurora, Decimal(0))
    assert read() == 1
    assert sent() == []
    assert PartnerAlert.objects.get(brand=aurora).level == 2


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 401}])
def test_balance_that_cannot_be_read_changes_nothing(
    watched: Brand, sam: User, simulator: Simulator, fault: dict[str, int]
) -> None:
    before = PartnerAlert.objects.values("balance", "days", "level", "told", "read_at").get(brand=watched)
    set_partner_balance(watched, Decimal(0))
    simulator.fault("partner_balance", "status", times=99, **fault)
    assert read() == 0
    assert PartnerAlert.objects.values(*before).get(brand=watched) == before
    assert sent() == []


def test_brand_whose_connection_is_not_proven_is_not_called(simulator: Simulator, aurora: Brand) -> None:
    assert read() == 0
    assert simulator.calls("partner_balance") == []


@pytest.mark.database
def test_two_workers_read_and_tell_once(watched: Brand, sam: User, threads: None) -> None:
    set_partner_balance(watched, Decimal(0))
    PartnerAlert.objects.update(next_read_at=timezone.now())
    assert sum(at_once(2, lambda _nth: watch_partner_balances())) == 1
    assert len(sent()) == 1


def test_reading_is_due_again_after_five_minutes_and_not_before(watched: Brand, simulator: Simulator) -> None:
    row = PartnerAlert.objects.get(brand=watched)
    assert timedelta(minutes=4) < row.next_read_at - timezone.now() <= timedelta(minutes=5)
    calls = len(simulator.calls("partner_balance"))
    assert watch_partner_balances() == 0
    assert len(simulator.calls("partner_balance")) == calls


def test_new_brands_are_spread_over_the_five_minutes(make_brand: Callable[..., Brand]) -> None:
    for number in range(60):
        make_brand(f"brand-{number}", f"brand-{number}.test")
    before = timezone.now()
    watch_partner_balances()
    minutes = [int((row.next_read_at - before).total_seconds() // 60) for row in PartnerAlert.objects.all()]
    assert set(minutes) == {0, 1, 2, 3, 4}
    assert max(minutes.count(each) for each in range(5)) < 30


def test_reading_takes_the_same_queries_whatever_the_number_of_other_brands(
    watched: Brand, make_brand: Callable[..., Brand], django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_brand(f"brand-{number}", f"brand-{number}.test")
    watch_partner_balances()
    PartnerAlert.objects.exclude(brand=watched).update(next_read_at=timezone.now() + timedelta(minutes=4))
    with django_assert_max_num_queries(2):
        watch_partner_balances()


def test_metrics_tell_balance_and_level(watched: Brand, settings: Any, browse: Callable[..., Any]) -> None:
    settings.METRICS_TOKEN = TOKEN
    page = browse(ADMIN).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    assert 'portal_partner_balance{brand="aurora"}' in page
    assert 'portal_partner_level{brand="aurora"} 0.0' in page


def store_balance(brand: Brand, balance: str) -> None:
    """Store a balance that was read, and spending of ten a day in the months before."""
    now = this_month(today(brand))
    for period in (now, *past_months(now.to_date)):
        is_open = period == now
        charges = Decimal(0) if is_open else Decimal(10) * period.days
        figures = dict.fromkeys(
            ("opening_balance", "payments", "call_charges", "other_charges", "adjustments"), "0"
        )
        CachedStatement.objects.create(
            brand=brand,
            from_date=period.from_date,
            to_date=period.to_date,
            is_open=is_open,
            as_of=timezone.now(),
            figures={**figures, "call_charges": f"{charges}", "total_charges": f"{charges}"}
            | {"closing_balance": balance},
        )


def test_admin_lists_low_and_empty_accounts_first_and_by_urgency(
    browse: Callable[..., Any], operator: User, sam: User, make_brand: Callable[..., Brand]
) -> None:
    for slug, balance in (("later", "55"), ("empty", "-1"), ("sooner", "15"), ("fine", "900")):
        store_balance(make_brand(slug, f"{slug}.test"), balance)
    text = words(browse(ADMIN, operator).get("/admin/")).partition("Needs attention")[2]
    said = [
        "partner balance was zero or less when last checked",
        "partner balance lasts about 1 day.",
        "partner balance lasts about 5 days.",
    ]
    assert sorted(said, key=text.index) == said
    assert text.count("partner balance lasts") == 2
    assert "partner balance was" not in words(browse(ADMIN, sam).get("/admin/"))
    listed = words(browse(ADMIN, operator).get("/admin/billing/partner/"))
    names = [f"{slug.capitalize()} Phone" for slug in ("empty", "sooner", "later", "fine")]
    assert sorted(names, key=listed.index) == names


def test_second_time_without_calls_on_one_day_is_told_too(watched: Brand, sam: User) -> None:
    for balance in ("0", "50000", "0"):
        PartnerAlert.objects.update(stopped_at=timezone.now() - timedelta(hours=2))
        set_partner_balance(watched, Decimal(balance))
        read()
    subjects = [subject for _, subject in sent()]
    assert subjects.count("All customers of Aurora Phone are cut off") == 2


def test_balance_that_lasts_for_ages_and_wrong_clocks_do_not_end_the_watch(
    watched: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partner, "_MOST_DAYS", 5)
    ahead = timezone.now() + timedelta(days=365)
    PartnerAlert.objects.update(next_read_at=ahead, read_at=ahead)
    CachedStatement.objects.filter(is_open=True).update(as_of=timezone.now() - timedelta(minutes=2))
    assert watch_partner_balances() == 1
    row = PartnerAlert.objects.get()
    assert row.days == 5
    assert row.read_at
    assert row.read_at < ahead


def test_brand_that_fails_does_not_keep_others_from_being_read(
    watched: Brand, borealis: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(brand: Brand) -> bool:
        if brand.pk == borealis.pk:
            raise RuntimeError("of the key")
        return True

    monkeypatch.setattr(partner, "is_connection_verified", broken)
    assert read() == 1


def test_run_ends_in_time_for_the_next(watched: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "_LONGEST", -1)
    assert read() == 0
