"""The period a statement is asked for."""

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from billing.statements.periods import EARLIEST, LONGEST_DAYS, Period, presets


class _DateInput(forms.DateInput):
    """A browser's date field. A name that came twice is shown as it came, and so refused."""

    input_type = "date"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The value; of several, all of them."""
        values = data.getlist(name) if isinstance(data, QueryDict) else [data.get(name)]
        return values[0] if len(values) == 1 else ", ".join(values)


class _DateField(forms.DateField):
    """A date as browsers send it, YYYY-MM-DD, and in no other way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            widget=_DateInput(format="%Y-%m-%d", attrs={"min": EARLIEST.isoformat()}),
            error_messages={
                "invalid": _("Write the date like 2026-01-31."),
                "required": _("Please fill this in."),
            },
            **options,
        )

    def to_python(self, value: Any) -> date | None:
        """Stricter than Django's, which takes 2026-1-1, digits of any script, and blanks around."""
        if value in self.empty_values or isinstance(value, date):
            return value or None
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ValidationError(self.error_messages["invalid"], code="invalid")


class PeriodForm(forms.Form):
    """Two dates, both included; refused at the field before the carrier is asked."""

    from_date = _DateField(label=_("From"))
    to_date = _DateField(label=_("To"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            field.widget.attrs["max"] = today.isoformat()

    @property
    def offered(self) -> bool:
        """Whether it shows one of the periods that the page offers: no error, and none that was made up."""
        return self.is_valid() and self.period in presets(self.today).values()

    def _within(self, name: str) -> date:
        value: date = self.cleaned_data[name]
        if value < EARLIEST:
            raise ValidationError(_("There are no statements before the year 2000."))
        if value > self.today:
            raise ValidationError(_("This day is still to come."))
        return value

    def clean_from_date(self) -> date:
        """Not in the future, not before 2000."""
        return self._within("from_date")

    def clean_to_date(self) -> date:
        """Not in the future, not before 2000."""
        return self._within("to_date")

    def clean(self) -> None:
        """In order, and not longer than a year."""
        first, last = self.cleaned_data.get("from_date"), self.cleaned_data.get("to_date")
        if not first or not last:
            return
        if first > last:
            self.add_error("from_date", _("The first day must not be after the last."))
        elif (last - first).days >= LONGEST_DAYS:
            self.add_error("from_date", _("Choose a period of at most 366 days."))

    @property
    def period(self) -> Period:
        """What a valid form asks for."""
        return Period(self.cleaned_data["from_date"], self.cleaned_data["to_date"])
