"""Entries of the admin's history: old and new values of important fields, imports and exports."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.text import capfirst
from django.utils.translation import override

from accounts.models import User

# Fields logged with their values. Field names are stored in English, like Django's own, because Django
# translates them for the reader.
LOGGED_FIELDS = ("email", "carrier_email", "account_number", "account_type", "credit_limit")
_BATCH = 500


def describe_change(name: str, old: object, new: object) -> str:
    """Return the text of a change, such as: Account number (“70001” → “70099”)."""
    return f"{_label(name)} (“{format_value(old)}” → “{format_value(new)}”)"


def get_label(name: str) -> str:
    """Return the label of a user field in the reader's language."""
    field: Any = User._meta.get_field(name)
    return str(capfirst(field.verbose_name))


def _label(name: str) -> str:
    with override(None):
        return get_label(name)


def format_value(value: object) -> str:
    """Return a value as text; empty for None."""
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def describe_form_changes(form: Any, parts: list[dict[str, Any]], *, add: bool) -> list[dict[str, Any]]:
    """Add the values of the logged fields to Django's change message of a saved form."""
    if add:
        values = {name: form.cleaned_data.get(name) for name in LOGGED_FIELDS if name != "email"}
        return [
            *parts,
            *(describe_added(name, value) for name, value in values.items() if value not in (None, "")),
        ]
    names = [name for name in LOGGED_FIELDS if name in form.changed_data and name in form.cleaned_data]
    descriptions = {
        _label(name): describe_change(name, form.initial.get(name), form.cleaned_data[name]) for name in names
    }
    for part in parts:
        if fields := part.get("changed", {}).get("fields"):
            part["changed"]["fields"] = [descriptions.get(label, label) for label in fields]
    return parts


def describe_added(name: str, value: object) -> dict[str, Any]:
    """Return a new customer's value in Django's structure of a change message."""
    return {"added": {"name": _label(name), "object": format_value(value)}}


def log_entries(*, by: User, entries: Iterable[tuple[Any, int, str | list[dict[str, Any]]]]) -> None:
    """Create history entries in bulk from (object, action flag, text or Django's structure of a message)."""
    rows = [
        LogEntry(
            user_id=by.pk,
            content_type=ContentType.objects.get_for_model(obj),
            object_id=str(obj.pk),
            object_repr=str(obj)[:200],
            action_flag=flag,
            change_message=message if isinstance(message, str) else json.dumps(message),
        )
        for obj, flag, message in entries
    ]
    LogEntry.objects.bulk_create(rows, batch_size=_BATCH)
