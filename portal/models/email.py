"""The log of emails, which is also the outbox of those that can wait."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Email(models.Model):
    """An email: what, to whom, and what became of it. Never its body, a code or a link.

    One that can wait has `next_try_at` until it is taken or given up; `values` are then what its template
    needs, and are emptied at the end. `refusal` is the mail server's last words, or why there were none.
    """

    KEPT = timedelta(days=90)

    # No constraints: the version before does not know this table, and deletes customers and brands.
    brand = models.ForeignKey("portal.Brand", models.CASCADE, related_name="emails", db_constraint=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    template = models.CharField(max_length=40)
    to = models.CharField(_("recipient"), max_length=254)
    language = models.CharField(max_length=10, blank=True)
    values = models.JSONField(default=dict)
    asked_at = models.DateTimeField(_("time"), default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    refusal = models.CharField(_("email server's answer"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("email")
        verbose_name_plural = _("emails")
        indexes = (
            models.Index(fields=("brand", "to"), name="email_by_address"),
            models.Index(fields=("asked_at",), name="email_by_time"),
            models.Index(
                fields=("next_try_at",), condition=models.Q(next_try_at__isnull=False), name="email_to_send"
            ),
        )

    def __str__(self) -> str:
        return self.template

    @property
    def state(self) -> Promise:
        """What became of it, for staff."""
        if self.taken_at:
            return _("sent, without confirmation") if self.refusal else pgettext_lazy("email", "sent")
        if self.next_try_at:
            return _("waiting")
        return _("refused") if self.refusal else _("sending")
