"""Times with their zone, and amounts, as pages show them."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from portal.core.formats import zoned_time
from portal.core.money import format_money

AT = datetime(2026, 11, 29, 4, 5, 7, tzinfo=UTC)


def shown(language: str, zone: str = "", **options: bool) -> str:
    """Return the time with ordinary spaces; it breaks only between date and time."""
    brand = SimpleNamespace(zone=ZoneInfo(zone)) if zone else None
    with translation.override(language):
        return zoned_time(AT, brand, **options).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-au", "29 Nov 2026, 3:05 pm AEDT"),
        ("en-nz", "29 Nov 2026, 3:05 pm AEDT"),
        ("en-gb", "29 Nov 2026, 15:05 AEDT"),
        ("en-us", "Nov 29, 2026, 3:05 PM AEDT"),
        ("es", "29 nov 2026, 15:05 AEDT"),
        ("zh-hans", "2026年11月29日 15:05 AEDT"),
        ("ar", "29 نوفمبر 2026، 3:05 م AEDT"),
    ],
)
def test_time_has_the_format_of_the_language_and_names_its_zone(language: str, text: str) -> None:
    assert shown(language, "Australia/Sydney") == text


def test_time_is_the_brands_whatever_zone_is_active() -> None:
    with timezone.override("America/New_York"):
        assert shown("en-au", "Europe/London") == "29 Nov 2026, 4:05 am GMT"
        assert shown("en-au") == "29 Nov 2026, 4:05 am UTC"


def test_zone_without_a_name_is_named_by_its_offset() -> None:
    assert shown("en-au", "Asia/Riyadh", seconds=True) == "29 Nov 2026, 7:05:07 am UTC+03"


def test_time_breaks_only_between_date_and_time() -> None:
    with translation.override("en-au"):
        assert zoned_time(AT).split(" ") == ["29\u00a0Nov\u00a02026,", "4:05\u00a0am\u00a0UTC"]


@pytest.mark.parametrize(
    ("language", "currency", "text"),
    [("en-au", "GBP", "−GBP\u00a05.01"), ("en-au", "AUD", "−\u2060$5.01"), ("en", "AUD", "−A$5.01")],
)
def test_currency_code_is_set_apart_from_its_amount(language: str, currency: str, text: str) -> None:
    with translation.override(language):
        assert format_money(Decimal("-5.005"), SimpleNamespace(currency=currency)) == text
