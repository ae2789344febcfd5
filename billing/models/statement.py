"""Statements as the carrier last sent them."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.models import Brand


class CachedStatement(models.Model):
    """The last statement of one period, for one customer or (without one) for the partner account.

    `figures` maps the names of a statement's amounts to decimal texts; None until the first answer.
    `is_open`: the period was not over when its statement was requested. `claimed_until`: until then one
    request may be fetching it. `error` says why the last attempt failed, at `attempted_at`; empty if it
    succeeded.
    """

    RETENTION = timedelta(days=400)

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="+")
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    account_number = models.CharField(max_length=64, blank=True)
    from_date = models.DateField()
    to_date = models.DateField()
    figures = models.JSONField(null=True)
    as_of = models.DateTimeField(null=True)
    is_open = models.BooleanField(default=False, db_column="running")
    claimed_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=10, blank=True, db_column="trouble")
    attempted_at = models.DateTimeField(null=True, db_column="tried_at")

    class Meta:
        db_table = "billing_keptstatement"
        verbose_name = "kept statement"
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
            models.Index(fields=("attempted_at",), name="kept_statement_by_age"),
            models.Index(fields=("brand", "customer", "as_of"), name="kept_statement_newest"),
        )

    def __str__(self) -> str:
        return f"statement {self.from_date} to {self.to_date}"
