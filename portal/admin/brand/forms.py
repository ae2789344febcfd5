"""Admin forms for a brand, its hosts and its overrides."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from portal.admin.brand.fields import WIDE, LinesField, PairsField, SecretInput, ZoneInput
from portal.admin.brand.help_texts import (
    API_KEY,
    FORGET_SECRET_KEY,
    HELP,
    HOST_HELP,
    LOGIN_HOSTS,
    OVERRIDE_HELP,
    REMOVE_LOGO,
    SECRET_KEY,
)
from portal.brands.logo import MAX_BYTES, read_logo
from portal.i18n.translation import translate
from portal.models import Brand, BrandHost, MethodOverride
from portal.security.crypto import EncryptedSecret
from portal.voipline import Carrier, MappingError, Secret
from portal.voipline.urls import Origin, address, origin

_WIDE = forms.TextInput(attrs={"class": WIDE})


def _origin(url: str) -> Origin | None:
    """Return the URL's origin, or None if it is invalid, which the model's validator reports later."""
    try:
        return origin(url)
    except ValueError:
        return None


class BrandForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form of a brand. It makes sure that the key is sent only to the host for which it was typed."""

    carrier_key = SecretInput(label=_("API key"), about=API_KEY)
    recaptcha_secret_key = SecretInput(label=_("Secret key"), about=SECRET_KEY, required=False)
    forget_secret_key = forms.BooleanField(
        label=_("Forget the secret key"), required=False, help_text=FORGET_SECRET_KEY
    )
    login_hosts = LinesField(label=_("Login hosts"), required=False, help_text=LOGIN_HOSTS)
    logo_file = forms.FileField(
        label=_("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, at most 200 kB. Without one, customers see the name."),
    )
    remove_logo = forms.BooleanField(label=_("Remove the logo"), required=False, help_text=REMOVE_LOGO)

    class Meta:
        model = Brand
        exclude = ()  # noqa: DJ006 - the admin's fieldsets name the fields.
        widgets = {
            "accent": forms.ColorInput,
            "timezone": ZoneInput({"class": "vTextField"}),
            **dict.fromkeys(("carrier_url", "from_email", "recaptcha_site_key"), _WIDE),
        }
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, required in (("carrier_key", True), ("recaptcha_secret_key", False)):
            field = self.fields[name]
            assert isinstance(field, SecretInput)
            field.set_stored(getattr(self.instance, name), required=required)
        self._logo: tuple[bytes, str, str] | None = None

    def clean_carrier_key(self) -> EncryptedSecret:
        """Check that a typed key can be sent as a header."""
        secret: EncryptedSecret = self.cleaned_data["carrier_key"]
        if "carrier_key" in self.changed_data:
            try:
                Carrier(url="https://carrier.invalid/", key=Secret(secret.reveal()))
            except MappingError as error:
                raise ValidationError([translate(words) for _key, words in error.problems]) from error
        return secret

    def clean_logo_file(self) -> Any:
        """Decode the file now, so that an invalid picture is an error at this field."""
        upload: Any = self.cleaned_data["logo_file"]
        if upload is None:
            return None
        try:
            self._logo = read_logo(upload.read(MAX_BYTES + 1))
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return upload

    def clean(self) -> dict[str, Any]:
        """Check pairs of fields: host and key, new secret and no secret, new logo and no logo."""
        cleaned = super().clean() or self.cleaned_data
        if "carrier_key" not in self.changed_data and self._host_is_new():
            self.add_error(
                "carrier_key", _("The API address has a new host. Type the key that belongs there.")
            )
        if cleaned.get("forget_secret_key"):
            if "recaptcha_secret_key" in self.changed_data:
                self.add_error("forget_secret_key", _("Either type a new secret key, or forget it."))
            cleaned["recaptcha_secret_key"] = EncryptedSecret()
        if cleaned.get("remove_logo") and "logo_file" in self.changed_data:
            self.add_error("remove_logo", _("Either choose a new logo, or remove it."))
        return cleaned

    def _host_is_new(self) -> bool:
        old_url, new_url = self.instance.carrier_url, self.cleaned_data.get("carrier_url")
        return bool(old_url and new_url and _origin(old_url) != _origin(new_url))

    def save(self, commit: bool = True) -> Any:
        """Save the brand with a new logo, or without one if it was removed."""
        brand = self.instance
        if self._logo or self.cleaned_data.get("remove_logo"):
            brand.logo, brand.logo_type, brand.logo_hash = self._logo or (b"", "", "")
        return super().save(commit)


class HostForm(forms.ModelForm):  # type: ignore[type-arg]
    """A host, normalised so that two spellings of one host count as duplicates."""

    class Meta:
        model = BrandHost
        fields = ("host", "position")
        help_texts = HOST_HELP

    def clean_host(self) -> str:
        """Return the host in lower case, without a dot at the end."""
        host: str = self.cleaned_data["host"]
        return host.lower().removesuffix(".")


class OverrideForm(forms.ModelForm):  # type: ignore[type-arg]
    """The partner portal's names for one method."""

    parameters = PairsField(
        label=_("Parameters"),
        required=False,
        help_text=_("Our name = the name in the partner portal, one a line. Nothing after the = drops it."),
    )
    constants = PairsField(
        label=_("Constants"), required=False, help_text=_("Sent as they are: name = value, one a line.")
    )
    results = PairsField(
        label=_("Results"), required=False, help_text=_("Our name = dotted path under “data”, one a line.")
    )

    class Meta:
        model = MethodOverride
        fields = ("method", "path", "body", "date_format", "parameters", "constants", "results")
        widgets = {"path": _WIDE}
        help_texts = OVERRIDE_HELP


class OverrideFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """All overrides of a brand. Their paths must stay on the carrier's host."""

    def clean(self) -> None:
        """Check each path against the brand's API address typed in the same form."""
        super().clean()
        for form in self.forms:
            path = getattr(form, "cleaned_data", {}).get("path")
            if path and not form.cleaned_data.get("DELETE") and _origin(self.instance.carrier_url):
                self._check(form, path)

    def _check(self, form: forms.ModelForm, path: str) -> None:  # type: ignore[type-arg]
        try:
            address(self.instance.carrier_url, path, "0")
        except ValueError as error:
            form.add_error("path", translate(error))
