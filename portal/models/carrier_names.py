"""Names and response codes of a brand's partner portal, where they differ from our defaults."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.i18n.translation import translate
from portal.models.brand import Brand
from portal.voipline import MEANINGS, METHODS, MappingError, Method, customise

MEANING_LABELS = {
    "captcha_failed": _("captcha not accepted"),
    "email_taken": _("email already registered"),
    "customer_unknown": _("customer unknown"),
    "code_wrong": _("confirmation code wrong"),
    "already_confirmed": _("email already confirmed"),
    "not_authorised": _("API key or IP address not authorised"),
}
assert set(MEANING_LABELS) == set(MEANINGS)


def _text_map(value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ValidationError(_('Write pairs of texts, like {"account_number": "acc_no"}.'))


class MethodOverride(models.Model):
    """Names of one of the seven methods in a partner portal, where they differ from our defaults."""

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="overrides")
    method = models.CharField(_("method"), max_length=20, choices=[(key, key) for key in METHODS])
    path = models.CharField(_("path"), max_length=300, blank=True)
    body = models.CharField(
        _("body"), max_length=9, blank=True, choices=[("multipart", "multipart"), ("form", "form")]
    )
    date_format = models.CharField(_("date format"), max_length=30, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True, validators=[_text_map])
    constants = models.JSONField(_("constants"), default=dict, blank=True, validators=[_text_map])
    results = models.JSONField(_("results"), default=dict, blank=True, validators=[_text_map])

    class Meta:
        constraints = (models.UniqueConstraint(fields=("brand", "method"), name="one_override_per_method"),)
        ordering = ("method",)
        verbose_name = _("method override")
        verbose_name_plural = _("method overrides")

    def __str__(self) -> str:
        return self.method

    def customised(self) -> Method:
        """Return the method with these names instead of the defaults. Raise MappingError."""
        return customise(
            METHODS[self.method],
            path=self.path or None,
            body=self.body or None,
            date_format=self.date_format or None,
            parameters=self.parameters,
            constants=self.constants,
            results=self.results,
        )

    def clean(self) -> None:
        """Refuse a mapping that could show a customer the figures of another customer."""
        if self.method not in METHODS:
            return
        try:
            self.customised()
        except MappingError as error:
            raise ValidationError(_by_field(error.problems)) from error


def _by_field(problems: list[tuple[str, str]]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for key, text in problems:
        field, _dot, name = key.partition(".")
        words = translate(text)
        errors.setdefault(field, []).append(f"{name}: {words}" if name else words)
    return errors


class ResponseCode(models.Model):
    """One entry of the partner portal's list of response codes, and its meaning."""

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="response_codes")
    code = models.CharField(_("code or exact message"), max_length=200, validators=[RegexValidator(r"\S")])
    meaning = models.CharField(_("meaning"), max_length=20, choices=list(MEANING_LABELS.items()))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("brand", "code"), name="one_meaning_per_code"),)
        ordering = ("code",)
        verbose_name = _("response code")
        verbose_name_plural = _("response codes")

    def __str__(self) -> str:
        return f"{self.code} = {self.meaning}"
