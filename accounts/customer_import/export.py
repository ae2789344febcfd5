"""Export customers as a CSV file that can be imported again."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import ngettext

from accounts.customer_import.csv_file import BRAND, COLUMNS, EXPORT_ONLY
from accounts.models import SignIn, User
from accounts.services.change_log import log_entries
from portal.core.csv_escape import escape_formula
from portal.models import Brand

_BATCH = 1000
_LAST_SIGN_IN = SignIn.objects.filter(user=OuterRef("pk")).order_by("-at").values("at")[:1]


def export_customers(*, customers: QuerySet[User], by: User) -> tuple[int, Iterator[str]]:
    """Return the number of customers, and the file in chunks.

    The file is UTF-8 with a byte order mark; times are in UTC, amounts are not rounded, and formulas are
    escaped. The export is first logged in the history of each brand, with its user and number of customers.
    """
    exported = customers.filter(brand__isnull=False)
    counts = dict(exported.order_by().values_list("brand").annotate(Count("pk")))
    log_entries(by=by, entries=_brand_entries(counts))
    return sum(counts.values()), _lines(exported)


def _brand_entries(counts: dict[int, int]) -> Iterator[tuple[Any, int, str]]:
    for brand in Brand.objects.defer("logo").filter(pk__in=counts):
        count = counts[brand.pk]
        words = ngettext("Exported %(count)d customer.", "Exported %(count)d customers.", count)
        yield brand, CHANGE, words % {"count": count}


def _lines(customers: QuerySet[User]) -> Iterator[str]:
    yield "\ufeff" + _csv_line((*COLUMNS, BRAND, *EXPORT_ONLY))
    names = (*COLUMNS, "brand__slug", "verified_at", "newest", "is_active")
    rows = customers.annotate(newest=Subquery(_LAST_SIGN_IN)).values_list(*names)
    batch: list[str] = []
    for row in rows.iterator(chunk_size=_BATCH):
        batch.append(_csv_line(_cell(value) for value in row))
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


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
