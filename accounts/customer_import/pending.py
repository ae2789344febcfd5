"""Files of customers between their dry run and their confirmation, which may reach another node."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.customer_import.csv_file import rows_read
from accounts.customer_import.importer import CREATE, Report, RowReport, customers_import, rows_import
from accounts.models import CustomerImport, User
from accounts.services.change_log import TOLD, added, entries_log, told
from portal.models import Brand

MOST = 5  # Files of one person that wait at the same time.


class ImportDone(Exception):
    """The file has been imported already, by another click; nothing was written a second time."""


def import_keep(*, brand: Brand, by: User, name: str, data: bytes) -> CustomerImport:
    """Let a file wait for its confirmation, for an hour; the person's oldest give way to it."""
    row = CustomerImport.objects.create(
        brand=brand, by=by, name=name[:200], data=data, made_at=timezone.now()
    )
    own = CustomerImport.objects.filter(by=by, done_at=None).order_by("-made_at", "-pk")
    CustomerImport.objects.filter(pk__in=list(own.values_list("pk", flat=True)[MOST:])).delete()
    return row


def import_find(*, brands: QuerySet[Brand], by: User, pk: int) -> CustomerImport | None:
    """The person's own file, if it still waits or was imported within the hour."""
    kept = CustomerImport.objects.filter(pk=pk, by=by, brand__in=brands.values("pk")).exclude(_old())
    return kept.select_related("brand").defer("brand__logo").first()


def import_report(*, waiting: CustomerImport) -> Report:
    """What importing the file would do now. Raises ImportRefused where its rows cannot be told apart."""
    return customers_import(brand=waiting.brand, data=bytes(waiting.data), dry_run=True, keep_good=True)


def import_confirm(*, waiting: CustomerImport, expected: str, keep_good: bool) -> Report:
    """Write the file's rows, once, as the report with this fingerprint said; and note in the history who did.

    Raises ImportDone, ImportChanged and ImportRefused; with each, nothing is written.
    """
    rows, problems = rows_read(data=bytes(waiting.data), brand=waiting.brand.slug)
    with transaction.atomic():
        mine = CustomerImport.objects.filter(pk=waiting.pk, done_at=None)
        if not mine.update(done_at=timezone.now(), data=b""):
            raise ImportDone
        report = rows_import(
            brand=waiting.brand, rows=rows, problems=problems, keep_good=keep_good, expected=expected
        )
        entries_log(by=waiting.by, entries=_entries(waiting, report))
    return report


def _entries(waiting: CustomerImport, report: Report) -> Iterator[tuple[Any, int, Any]]:
    yield waiting.brand, CHANGE, _summary(waiting.name, report)
    for row in report.rows:
        changes = [change for change in row.changes if change.name in TOLD]
        if changes and row.customer:
            yield (row.customer, *_told(row, changes))


def _told(row: RowReport, changes: list[Any]) -> tuple[int, list[dict[str, Any]]]:
    if row.what == CREATE:
        return ADDITION, [{"added": {}}, *(added(change.name, change.new) for change in changes)]
    fields = [told(change.name, change.old, change.new) for change in changes]
    return CHANGE, [{"changed": {"fields": fields}}]


def _summary(name: str, report: Report) -> str:
    counts = {kind: str(number) for kind, number in vars(report.counts).items()}
    words = gettext(
        "Imported customers from “%(name)s”: created %(created)s, updated %(updated)s, "
        "unchanged %(unchanged)s, bad and left out %(bad)s."
    )
    return words % {"name": name, **counts}


def _old() -> Q:
    return Q(made_at__lt=timezone.now() - CustomerImport.LIFETIME)


def imports_prune() -> int:
    """Remove files whose hour is over; how many. Of those that are done only the row was left."""
    return CustomerImport.objects.filter(_old()).delete()[0]
