"""A report of an import as the admin shows it: bad rows first, reasons in the reader's language."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.customer_import.importer import BAD, CREATE, UNCHANGED, UPDATE, Change, Report, RowReport
from accounts.services.change_log import get_label
from portal.i18n.translation import translate

SHOWN = 500
ORDER = (BAD, CREATE, UPDATE, UNCHANGED)
_KINDS = {BAD: _("Bad"), CREATE: _("Create"), UPDATE: _("Update"), UNCHANGED: _("Unchanged")}


def report_context(report: Report) -> dict[str, Any]:
    """What the page of a report wants."""
    ordered = sorted(report.rows, key=lambda row: ORDER.index(row.what))
    counts = report.counts
    return {
        "counts": counts,
        "writes": counts.created + counts.updated,
        "rows": [_shown(row) for row in ordered[:SHOWN]],
        "total": len(ordered),
        "left_out": max(0, len(ordered) - SHOWN),
        "fingerprint": report.fingerprint,
    }


def _says_more(row: RowReport, change: Change) -> bool:
    """A new customer's number has a column of its own."""
    return row.what != CREATE or change.name != "account_number"


def _shown(row: RowReport) -> dict[str, Any]:
    return {
        "line": row.line,
        "what": row.what,
        "kind": _KINDS[row.what],
        "email": row.email,
        "account_number": row.account_number,
        "problems": [(problem.column, translate(problem.reason)) for problem in row.problems],
        "notes": [(note.column, translate(note.reason)) for note in row.notes],
        "changes": [
            (get_label(change.name), change.old, change.new)
            for change in row.changes
            if _says_more(row, change)
        ],
    }
