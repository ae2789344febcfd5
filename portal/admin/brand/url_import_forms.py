"""The two forms of “Paste a URL”: one for the URL, one for the choice of names."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from portal.admin.brand.fields import WIDE
from portal.carrier.url_import import ParsedUrl, suggest_names
from portal.i18n.translation import translate
from portal.models import Brand
from portal.voipline import METHODS, Match, Method

CONSTANT = "="  # Cannot be one of our names.
MAX_NAMES = 60
_METHODS = [(key, key) for key in METHODS]


class PasteForm(forms.Form):
    """A URL from the partner portal. It is not shown again, since it may contain a key."""

    text = forms.CharField(
        label=_("Request URL"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField", "spellcheck": "false"}),
        help_text=_("Example: https://au.voipcloud.online/api/integration/v2/get-customer-balance?account=…"),
    )
    method = forms.ChoiceField(
        label=_("Method"),
        required=False,
        choices=[("", _("Guess it from the path")), *_METHODS],
        help_text=_("What the portal uses this URL for."),
    )

    def __init__(self, brand: Brand, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand = brand
        self.parsed = ParsedUrl("", "", (), {})

    def clean(self) -> dict[str, Any]:
        """Read the URL and report its errors at its field."""
        cleaned = super().clean() or self.cleaned_data
        if "text" in cleaned and "method" in cleaned:
            try:
                self.parsed = suggest_names(brand=self.brand, text=cleaned["text"], method=cleaned["method"])
            except ValueError as error:
                self.add_error("text", translate(error))
            else:
                self._require_method()
        return cleaned

    def _require_method(self) -> None:
        if not self.parsed.method:
            words = _("The path doesn't tell which method this is. Choose it, and paste the URL again.")
            self.add_error("method", words)
        elif len(self.parsed.matches) > MAX_NAMES:
            self.add_error("text", _("This address has more names than any method of the carrier."))


class TakeForm(forms.Form):
    """Method and path, and which of our parameters are no longer sent."""

    method = forms.ChoiceField(choices=_METHODS, widget=forms.HiddenInput)
    path = forms.CharField(
        label=_("Path"),
        max_length=300,
        widget=forms.TextInput(attrs={"class": WIDE}),
        help_text=_("It continues the API address. {account_number} is replaced with the customer's number."),
    )
    dropped = forms.MultipleChoiceField(
        label=_("Not in this URL"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("These are sent now. Tick those that the carrier should no longer get."),
    )

    def __init__(self, current: Method, matches: list[Match], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        matched = {match.ours for match in matches}
        missing = [name for name in current.parameters if name not in matched]
        field = self.fields["dropped"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, name) for name in missing]
        if not missing:
            del self.fields["dropped"]


class NameForm(forms.Form):
    """One name of the URL, and our name for it."""

    name = forms.CharField(max_length=200, strip=False, widget=forms.HiddenInput)
    ours = forms.ChoiceField(label=_("Our name for it"), required=False)
    value = forms.CharField(label=_("Constant's value"), required=False, max_length=200)

    def __init__(self, *args: Any, method: Method, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.constants = method.constants
        field = self.fields["ours"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", _("leave it out")),
            *((name, name) for name in sorted(method.available)),
            (CONSTANT, _("always send this value")),
        ]

    def clean(self) -> dict[str, Any]:
        """Check that a constant has a value, typed or already stored."""
        cleaned = super().clean() or self.cleaned_data
        name = cleaned.get("name", "")
        if cleaned.get("ours") == CONSTANT and not cleaned.get("value"):
            cleaned["value"] = self.constants.get(name, "")
            if name not in self.constants:
                self.add_error("value", _("Type the value that is always sent."))
        return cleaned


class NameFormSet(forms.BaseFormSet):  # type: ignore[type-arg]
    """All names of the URL."""

    def clean(self) -> None:
        """Check that none of our names is chosen twice."""
        choices = [form.cleaned_data.get("ours") for form in self.forms if form.is_valid()]
        ours = [name for name in choices if name and name != CONSTANT]
        if duplicates := sorted({name for name in ours if ours.count(name) > 1}):
            raise ValidationError(_("%(name)s is chosen twice."), params={"name": duplicates[0]})

    @property
    def names(self) -> dict[str, str]:
        """Our name → theirs."""
        rows = [form.cleaned_data for form in self.forms]
        return {row["ours"]: row["name"] for row in rows if row["ours"] not in ("", CONSTANT)}

    @property
    def constants(self) -> dict[str, str]:
        """Name → value."""
        rows = [form.cleaned_data for form in self.forms]
        return {row["name"]: row["value"] for row in rows if row["ours"] == CONSTANT}


NamesFormSet = forms.formset_factory(
    NameForm, formset=NameFormSet, extra=0, max_num=MAX_NAMES, absolute_max=MAX_NAMES, validate_max=True
)
