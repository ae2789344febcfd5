"""Template context of an import report: bad rows first, reasons in the reader's language."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.customer_import.importer import BAD, CREATE, UNCHANGED, UPDATE, Change, Report, RowReport
from accounts.services.change_log import get_label
from portal.i18n.translation import translate

MAX_ROWS = 500
ORDER = (BAD, CREATE, UPDATE, UNCHANGED)
_KINDS = {BAD: _("Bad"), CREATE: _("Create"), UPDATE: _("Update"), UNCHANGED: _("Unchanged")}


def report_context(report: Report) -> dict[str, Any]:
    """Return the template context of a report; at most `MAX_ROWS` rows are listed."""
    ordered = sorted(report.rows, key=lambda row: ORDER.index(row.action))
    counts = report.counts
    return {
        "counts": counts,
        "writes": counts.created + counts.updated,
        "rows": [_row_context(row) for row in ordered[:MAX_ROWS]],
        "total": len(ordered),
        "left_out": max(0, len(ordered) - MAX_ROWS),
        "fingerprint": report.fingerprint,
    }


def _is_listed(row: RowReport, change: Change) -> bool:
    """Return False for a new customer's account number: it has its own column."""
    return row.action != CREATE or change.name != "account_number"


def _row_context(row: RowReport) -> dict[str, Any]:
    return {
        "line": row.line,
        "what": row.action,
        "kind": _KINDS[row.action],
        "email": row.email,
        "account_number": row.account_number,
        "problems": [(problem.column, translate(problem.reason)) for problem in row.problems],
        "notes": [(note.column, translate(note.reason)) for note in row.notes],
        "changes": [
            (get_label(change.name), change.old, change.new)
            for change in row.changes
            if _is_listed(row, change)
        ],
    }
