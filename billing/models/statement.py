"""Statements as they were last received."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.models import Brand


class CachedStatement(models.Model):
    """A statement as the carrier last sent it, for one customer (or the partner account) and one period.

    `figures` maps the statement's names to decimal texts. `running`: the period reached the day on which it
    was asked for. While `claimed_until` is to come, a request is asking for it. `trouble` is why the last try
    brought nothing; `tried_at` is when that was.
    """

    KEPT = timedelta(days=400)

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="+")
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    account_number = models.CharField(max_length=64, blank=True)
    from_date = models.DateField()
    to_date = models.DateField()
    figures = models.JSONField(null=True)
    as_of = models.DateTimeField(null=True)
    running = models.BooleanField(default=False)
    claimed_until = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=10, blank=True)
    tried_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("customer", "account_number", "from_date", "to_date"),
                condition=Q(customer__isnull=False),
                name="one_kept_statement_per_customer",
            ),
            models.UniqueConstraint(
                fields=("brand", "from_date", "to_date"),
                condition=Q(customer=None),
                name="one_kept_statement_per_partner",
            ),
        )
        indexes = (
            models.Index(fields=("tried_at",), name="kept_statement_by_age"),
            models.Index(fields=("brand", "customer", "as_of"), name="kept_statement_newest"),
        )

    def __str__(self) -> str:
        return f"statement {self.from_date} to {self.to_date}"
