"""Form for the period of a statement."""

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from billing.statements.periods import EARLIEST, LONGEST_DAYS, Period, presets


class _DateInput(forms.DateInput):
    """A date input of the browser. A repeated parameter is shown as sent, and so refused."""

    input_type = "date"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return the value, or all values joined if there are several."""
        values = data.getlist(name) if isinstance(data, QueryDict) else [data.get(name)]
        return values[0] if len(values) == 1 else ", ".join(values)


class _DateField(forms.DateField):
    """A date in the format of browsers only: YYYY-MM-DD."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            widget=_DateInput(format="%Y-%m-%d", attrs={"min": EARLIEST.isoformat()}),
            error_messages={
                "invalid": _("Enter a date like 2026-01-31."),
                "required": _("Choose a date."),
            },
            **options,
        )

    def to_python(self, value: Any) -> date | None:
        """Return the date. Django would also accept 2026-1-1, digits of any script, and blanks around."""
        if value in self.empty_values or isinstance(value, date):
            return value or None
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ValidationError(self.error_messages["invalid"], code="invalid")


class PeriodForm(forms.Form):
    """Two dates, both included, validated before the carrier is called."""

    from_date = _DateField(label=_("From"))
    to_date = _DateField(label=_("To"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            field.widget.attrs["max"] = today.isoformat()

    @property
    def offered(self) -> bool:
        """True if the form is valid and its period is one of the presets."""
        return self.is_valid() and self.period in presets(self.today).values()

    def _clean_date(self, name: str) -> date:
        """Return the date; refuse one in the future or before 2000."""
        value: date = self.cleaned_data[name]
        if value < EARLIEST:
            raise ValidationError(_("Choose a date from 1 January 2000."))
        if value > self.today:
            raise ValidationError(_("Choose today or an earlier date."))
        return value

    def clean_from_date(self) -> date:
        return self._clean_date("from_date")

    def clean_to_date(self) -> date:
        return self._clean_date("to_date")

    def clean(self) -> None:
        """Check the order of the dates, and the length of at most a year."""
        first, last = self.cleaned_data.get("from_date"), self.cleaned_data.get("to_date")
        if not first or not last:
            return
        if first > last:
            self.add_error("from_date", _("“From” must be the same as or before “To”."))
        elif (last - first).days >= LONGEST_DAYS:
            self.add_error("from_date", _("Choose a period of one year or less."))

    @property
    def period(self) -> Period:
        """Period of a valid form."""
        return Period(self.cleaned_data["from_date"], self.cleaned_data["to_date"])
