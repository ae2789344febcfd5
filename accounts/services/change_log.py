"""What the admin's history tells of people: old and new values of what matters, imports and exports."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.text import capfirst
from django.utils.translation import override

from accounts.models import User

# Told with their values. Whoever reads a history later need not speak the language it was made in, so
# names of fields are kept in English, as Django's own are, which translates them for the reader.
LOGGED_FIELDS = ("email", "carrier_email", "account_number", "account_type", "credit_limit")
_BATCH = 500


def describe_change(name: str, old: object, new: object) -> str:
    """“Account number (“70001” → “70099”)”."""
    return f"{_label(name)} (“{format_value(old)}” → “{format_value(new)}”)"


def get_label(name: str) -> str:
    """What a column is called, in the reader's language."""
    field: Any = User._meta.get_field(name)
    return str(capfirst(field.verbose_name))


def _label(name: str) -> str:
    with override(None):
        return get_label(name)


def format_value(value: object) -> str:
    """A value as a text; empty for none."""
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def describe_form_changes(form: Any, parts: list[dict[str, Any]], *, add: bool) -> list[dict[str, Any]]:
    """Django's account of a saved form, with the values of what is told."""
    if add:
        values = {name: form.cleaned_data.get(name) for name in LOGGED_FIELDS if name != "email"}
        return [
            *parts,
            *(describe_added(name, value) for name, value in values.items() if value not in (None, "")),
        ]
    names = [name for name in LOGGED_FIELDS if name in form.changed_data and name in form.cleaned_data]
    words = {
        _label(name): describe_change(name, form.initial.get(name), form.cleaned_data[name]) for name in names
    }
    for part in parts:
        if fields := part.get("changed", {}).get("fields"):
            part["changed"]["fields"] = [words.get(label, label) for label in fields]
    return parts


def describe_added(name: str, value: object) -> dict[str, Any]:
    """A value that a new customer came with, in Django's structure."""
    return {"added": {"name": _label(name), "object": format_value(value)}}


def log_entries(*, by: User, entries: Iterable[tuple[Any, int, str | list[dict[str, Any]]]]) -> None:
    """An entry each, in bulk: (what it is about, its flag, its words or Django's structure of them)."""
    made = [
        LogEntry(
            user_id=by.pk,
            content_type=ContentType.objects.get_for_model(thing),
            object_id=str(thing.pk),
            object_repr=str(thing)[:200],
            action_flag=flag,
            change_message=message if isinstance(message, str) else json.dumps(message),
        )
        for thing, flag, message in entries
    ]
    LogEntry.objects.bulk_create(made, batch_size=_BATCH)
