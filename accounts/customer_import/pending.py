"""Uploaded customer files that wait for confirmation. They are stored, as any node may confirm them."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.customer_import.csv_file import read_rows
from accounts.customer_import.importer import CREATE, Report, RowReport, import_customers, import_rows
from accounts.models import CustomerImport, User
from accounts.services.change_log import LOGGED_FIELDS, describe_added, describe_change, log_entries
from portal.models import Brand

MAX_PENDING = 5  # Files per user.


class ImportDone(Exception):
    """The file has already been imported, by another click. Nothing was written a second time."""


def store_import(*, brand: Brand, by: User, name: str, data: bytes) -> CustomerImport:
    """Store a file for an hour until it is confirmed. Deletes the user's oldest above `MAX_PENDING`."""
    row = CustomerImport.objects.create(
        brand=brand, by=by, name=name[:200], data=data, made_at=timezone.now()
    )
    own = CustomerImport.objects.filter(by=by, done_at=None).order_by("-made_at", "-pk")
    CustomerImport.objects.filter(pk__in=list(own.values_list("pk", flat=True)[MAX_PENDING:])).delete()
    return row


def find_import(*, brands: QuerySet[Brand], by: User, pk: int) -> CustomerImport | None:
    """Return the user's own file, if it is pending or was imported within the hour."""
    rows = CustomerImport.objects.filter(pk=pk, by=by, brand__in=brands.values("pk")).exclude(_expired())
    return rows.select_related("brand").defer("brand__logo").first()


def build_import_report(*, waiting: CustomerImport) -> Report:
    """Return what importing the file would do now. Raises ImportRefused if it cannot be split into rows."""
    return import_customers(brand=waiting.brand, data=bytes(waiting.data), dry_run=True, skip_invalid=True)


def confirm_import(*, waiting: CustomerImport, expected: str, skip_invalid: bool) -> Report:
    """Import the file once, if its report still has this fingerprint, and log who did it in the history.

    Raises ImportDone, ImportChanged and ImportRefused; with each, nothing is written.
    """
    rows, problems = read_rows(data=bytes(waiting.data), brand=waiting.brand.slug)
    with transaction.atomic():
        pending = CustomerImport.objects.filter(pk=waiting.pk, done_at=None)
        if not pending.update(done_at=timezone.now(), data=b""):
            raise ImportDone
        report = import_rows(
            brand=waiting.brand, rows=rows, problems=problems, skip_invalid=skip_invalid, expected=expected
        )
        log_entries(by=waiting.by, entries=_entries(waiting, report))
    return report


def _entries(waiting: CustomerImport, report: Report) -> Iterator[tuple[Any, int, Any]]:
    yield waiting.brand, CHANGE, _summary(waiting.name, report)
    for row in report.rows:
        changes = [change for change in row.changes if change.name in LOGGED_FIELDS]
        if changes and row.customer:
            yield (row.customer, *_log_message(row, changes))


def _log_message(row: RowReport, changes: list[Any]) -> tuple[int, list[dict[str, Any]]]:
    if row.action == CREATE:
        return ADDITION, [{"added": {}}, *(describe_added(change.name, change.new) for change in changes)]
    fields = [describe_change(change.name, change.old, change.new) for change in changes]
    return CHANGE, [{"changed": {"fields": fields}}]


def _summary(name: str, report: Report) -> str:
    counts = {kind: str(number) for kind, number in vars(report.counts).items()}
    words = gettext(
        "Imported customers from “%(name)s”: created %(created)s, updated %(updated)s, "
        "unchanged %(unchanged)s, bad and left out %(bad)s."
    )
    return words % {"name": name, **counts}


def _expired() -> Q:
    return Q(made_at__lt=timezone.now() - CustomerImport.LIFETIME)


def prune_imports() -> int:
    """Delete files older than an hour, and return their number. The data of imported ones is gone already."""
    return CustomerImport.objects.filter(_expired()).delete()[0]
