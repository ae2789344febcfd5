"""The log of calls to the carrier: method, customer and outcome, without parameters and secrets."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class CarrierCall(models.Model):
    """One call of a carrier method. `operation` is that of a transfer of funds, else empty."""

    KEPT = timedelta(days=30)

    brand = models.ForeignKey("portal.Brand", models.CASCADE, verbose_name=_("brand"), related_name="calls")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("customer"), related_name="+"
    )
    method = models.CharField(_("method"), max_length=20)
    outcome = models.CharField(_("outcome"), max_length=20)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    operation = models.CharField(_("operation"), max_length=36, blank=True)
    reference = models.CharField(_("reference"), max_length=12, blank=True)
    at = models.DateTimeField(_("time"), default=timezone.now)

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=("at",), name="call_by_time"),
            models.Index(fields=("brand", "at"), name="call_by_brand"),
            models.Index(fields=("operation",), condition=~models.Q(operation=""), name="call_by_operation"),
        )
        verbose_name = _("call to the carrier")
        verbose_name_plural = _("calls to the carrier")

    def __str__(self) -> str:
        return self.method
