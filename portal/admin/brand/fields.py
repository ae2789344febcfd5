"""Form fields of the admin: write-only secrets, lists and pairs as lines of text, time zones."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from portal.core import validators
from portal.security.crypto import EncryptedSecret, SecretUnreadable, encrypt

WIDE = "vURLField"  # Django's class for a long line.
_REFERENCE = _(
    "Instead of the key you may write env:PORTAL_SECRET_NAME, the name of a variable of the server."
)
# Other zones are allowed but not suggested: old names such as GB, and Etc/GMT+5, whose sign is reversed.
_REGIONS = tuple(
    f"{place}/"
    for place in (
        "Africa",
        "America",
        "Antarctica",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
)
_SPACED_PAIR = re.compile(r"(.+?)\s+=\s+(.*)")


class ZoneInput(forms.TextInput):
    """A time zone input; the browser suggests zones that contain the typed text."""

    template_name = "portal/_time_zone_input.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Add the zones as a datalist, which needs no JavaScript."""
        context = super().get_context(name, value, {**(attrs or {}), "list": f"{name}-offered"})
        zones = sorted(validators.timezones())
        context["widget"]["zones"] = [zone for zone in zones if zone.startswith(_REGIONS)]
        return context


class SecretInput(forms.CharField):
    """A secret, written but never shown. If left empty, the stored one stays. `about`: its help text."""

    def __init__(self, *, about: Any, **options: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "class": WIDE})
        super().__init__(widget=widget, **options)
        self.stored, self.about = EncryptedSecret(), about

    def set_stored(self, stored: EncryptedSecret, *, required: bool) -> None:
        """Set the stored secret. The help text says only whether there is one."""
        self.stored = stored
        self.required = required and not stored
        state = _("A key is stored. Leave this empty to keep it.") if stored else _("No key is stored.")
        self.help_text = format_lazy("{} {} {}", self.about, state, _REFERENCE)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data and data.strip())

    def clean(self, value: Any) -> EncryptedSecret:
        """Return the typed text encrypted, or the stored secret."""
        text = super().clean(value)
        if not text:
            return self.stored
        try:
            secret = encrypt(text)
            secret.reveal()
        except (ValueError, SecretUnreadable) as error:
            words = str(error)
            raise ValidationError(words[:1].upper() + words[1:].rstrip(".") + ".") from error
        return secret


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Return a list as lines, and typed text unchanged."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines as a list, in lower case and without empty ones."""
        return [line.strip().lower() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the lists, not the line ends."""
        return bool(self.to_python(data) != (initial or []))


class PairsField(forms.CharField):
    """Pairs of texts, `ours = theirs`, one per line. An empty right side drops the name."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Return a mapping as lines, and typed text unchanged."""
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{ours} = {theirs}".rstrip() for ours, theirs in value.items())

    def to_python(self, value: Any) -> Any:
        """Return the lines as a mapping. Raise ValidationError, which names the line."""
        pairs: dict[str, str] = {}
        for number, line in enumerate((value or "").splitlines(), 1):
            if line.strip():
                ours, theirs = self._pair(line.strip(), number)
                if ours in pairs:
                    raise ValidationError(
                        _("Line %(number)d: %(name)s appears twice."),
                        params={"number": number, "name": ours},
                    )
                pairs[ours] = theirs
        return pairs

    def _pair(self, line: str, number: int) -> tuple[str, str]:
        if spaced := _SPACED_PAIR.fullmatch(line):
            return spaced[1], spaced[2]
        ours, sign, theirs = line.partition("=")
        if not sign or not ours.strip():
            raise ValidationError(_("Line %(number)d: write name = value."), params={"number": number})
        return ours.strip(), theirs.strip()

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the mappings, not the spacing."""
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True
