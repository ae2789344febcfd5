"""Customers as a CSV file that an import takes back."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import ngettext

from accounts.customer_import.csv_file import BRAND, COLUMNS, UNREAD
from accounts.models import SignIn, User
from accounts.services.change_log import log_entries
from portal.core.csv_escape import escape_formula
from portal.models import Brand

_BATCH = 1000
_NEWEST = SignIn.objects.filter(user=OuterRef("pk")).order_by("-at").values("at")[:1]


def export_customers(*, customers: QuerySet[User], by: User) -> tuple[int, Iterator[str]]:
    """How many, and the file bit by bit: UTF-8 with a byte order mark, times in UTC, an amount as it is.

    What a spreadsheet would take for a formula is made neutral. Who exported how many of which brand is noted
    first, in the brands' histories.
    """
    only = customers.filter(brand__isnull=False)
    counts = dict(only.order_by().values_list("brand").annotate(Count("pk")))
    log_entries(by=by, entries=_entries(counts))
    return sum(counts.values()), _lines(only)


def _entries(counts: dict[int, int]) -> Iterator[tuple[Any, int, str]]:
    for brand in Brand.objects.defer("logo").filter(pk__in=counts):
        count = counts[brand.pk]
        words = ngettext("Exported %(count)d customer.", "Exported %(count)d customers.", count)
        yield brand, CHANGE, words % {"count": count}


def _lines(customers: QuerySet[User]) -> Iterator[str]:
    yield "\ufeff" + _line((*COLUMNS, BRAND, *UNREAD))
    names = (*COLUMNS, "brand__slug", "verified_at", "newest", "is_active")
    rows = customers.annotate(newest=Subquery(_NEWEST)).values_list(*names)
    batch: list[str] = []
    for row in rows.iterator(chunk_size=_BATCH):
        batch.append(_line(_cell(value) for value in row))
        if len(batch) == _BATCH:
            yield "".join(batch)
            batch = []
    yield "".join(batch)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
        case _:
            return escape_formula(str(value))


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
