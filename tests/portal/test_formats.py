"""Times are those of the brand's zone, and today is called today; the scale of a chart is short."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from portal.core.formats import updated
from portal.core.money import WORD_JOINER, format_compact_money
from portal.models import Brand
from tests.conftest import ROOT

SYDNEY, LONDON = ZoneInfo("Australia/Sydney"), ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 29, 13, 5, tzinfo=UTC)  # In Sydney the 30th has begun, at 0:05.
LANGUAGES = ["en-au", "en-gb", "es", "zh-hans", "ar"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_five_past_midnight_in_sydney(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("zone", "at", "shown"),
    [
        (SYDNEY, "2026-11-29T13:05", "today, 12:05 am"),
        (SYDNEY, "2026-11-29T13:00", "today, 12:00 am"),
        (SYDNEY, "2026-11-29T12:59", "29 Nov 2026, 11:59 pm"),
        (SYDNEY, "2026-11-30T12:59", "today, 11:59 pm"),
        (SYDNEY, "2026-11-30T13:00", "1 Dec 2026, 12:00 am"),
        (LONDON, "2026-11-29T12:59", "today, 12:59 pm"),
        (LONDON, "2026-11-29T00:00", "today, 12:00 am"),
        (LONDON, "2026-11-28T23:59", "28 Nov 2026, 11:59 pm"),
        (LONDON, "2025-11-29T12:59", "29 Nov 2025, 12:59 pm"),
    ],
)
def test_time_of_today_in_the_brands_zone_is_called_so(zone, at, shown):
    with timezone.override(zone), translation.override("en-au"):
        assert " ".join(updated(utc(at)).split()) == f"Updated {shown}"


@pytest.mark.parametrize(
    ("language", "today", "earlier"),
    [
        ("en-gb", "Updated today, 00:05", "Updated 29 Nov 2026, 23:59"),
        ("es", "Actualizado hoy, 0:05", "Actualizado: 29 nov 2026, 23:59"),
        ("zh-hans", "今天 00:05 更新", "更新于 2026年11月29日 23:59"),
    ],
)
def test_time_is_written_as_the_language_writes_it(language, today, earlier):
    with timezone.override(SYDNEY), translation.override(language):
        shown = updated(NOW), updated(utc("2026-11-29T12:59"))
    assert tuple(" ".join(text.split()) for text in shown) == (today, earlier)


@pytest.mark.parametrize(("language", "half"), [("en-au", "am"), ("ar", "ص")])
def test_time_and_its_half_of_the_day_stay_on_one_line(language, half):
    with timezone.override(SYDNEY), translation.override(language):
        for text in (updated(NOW), updated(utc("2026-11-28T13:05"))):
            assert re.search(rf"12:05[\xa0\u202f]{half}", text)


def test_first_language_of_a_process_does_not_name_the_months_of_others():
    """Babel loads each language once, so this takes a process of its own."""
    names = {"zh-hans": "十一月", "ar": "نوفمبر", "es": "noviembre", "en-au": "November"}
    code = f"""
import django
django.setup()
from datetime import date
from django.utils import translation
from portal.core.formats import month_name
for language in {list(names)}:
    with translation.override(language):
        print(month_name(date(2026, 11, 30)))
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout
    assert shown.split() == list(names.values())


@pytest.mark.parametrize(
    ("language", "currency", "amount", "shown"),
    [
        ("en-au", "AUD", "0", "$0"),
        ("en-au", "AUD", "50", "$50"),
        ("en-au", "AUD", "2.5", "$2.50"),
        ("en-au", "AUD", "-0.05", "−$0.05"),
        ("en-au", "AUD", "-50", "−$50"),
        ("en-au", "AUD", "1500", "$1.5K"),
        ("en-au", "AUD", "-1500", "−$1.5K"),
        ("en-au", "AUD", "2000000", "$2M"),
        ("en-gb", "GBP", "50", "£50"),
        ("en-gb", "GBP", "-1500", "−£1.5K"),
        ("es", "AUD", "50", "50\xa0AUD"),
        ("es", "AUD", "-2.5", "−2,50\xa0AUD"),
        ("es", "AUD", "1500", "1,5\xa0mil\xa0AUD"),
        ("zh-hans", "AUD", "50", "AU$50"),
        ("zh-hans", "AUD", "-1500", "−AU$1500"),
        ("zh-hans", "AUD", "20000", "AU$2万"),
        ("ar", "AUD", "50", "\u206650\u2069"),
        ("ar", "AUD", "2.5", "\u20662.50\u2069"),
        ("ar", "AUD", "-2.5", "\u2066−2.50\u2069"),
        ("ar", "AUD", "1500", "\u2067\u20661.5\u2069\xa0ألف\u2069"),
        ("ar", "AUD", "-1500", "\u2067\u2066−1.5\u2069\xa0ألف\u2069"),
    ],
)
def test_amount_of_a_scale_is_short_and_in_the_readers_language(language, currency, amount, shown):
    with translation.override(language):
        text = format_compact_money(Decimal(amount), Brand(currency=currency))
    assert text.replace(WORD_JOINER, "") == shown


@given(
    st.decimals(-(10**12), 10**12, places=2) | st.decimals(-1000, 1000, places=2),
    st.sampled_from(LANGUAGES),
    st.sampled_from(["AUD", "NZD", "USD", "GBP"]),
)
def test_amount_of_a_scale_has_the_portals_minus_and_does_not_break(amount, language, currency):
    with translation.override(language):
        text, mirrored = (
            format_compact_money(each, Brand(currency=currency)) for each in (amount, abs(amount))
        )
    assert ("−" in text) is (amount < 0)
    assert text.replace("−", "").replace(WORD_JOINER, "") == mirrored
    assert not any(sign in text for sign in "- \u200e\u200f")
