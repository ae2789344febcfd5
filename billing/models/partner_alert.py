"""What is known of each brand's partner balance, and which emails were sent about it."""

from django.db import models
from django.utils import timezone

from billing.episodes import Episode, Level
from portal.core.money import AmountField
from portal.models import Brand


class PartnerAlert(models.Model):
    """The episode of a brand's partner balance (`billing.episodes`), and when to read it next.

    `balance` and `days` are of the last reading; `days` is None if the pace of spending is unknown.
    """

    # No constraint: the version before does not know this table, and deletes brands.
    brand = models.OneToOneField(Brand, models.CASCADE, related_name="partner_alert", db_constraint=False)
    next_read_at = models.DateTimeField(default=timezone.now, db_index=True)
    read_at = models.DateTimeField(null=True)
    balance = AmountField()
    days = models.IntegerField(null=True)
    level = models.PositiveSmallIntegerField(null=True, choices=[(each.value, each.name) for each in Level])
    told = models.PositiveSmallIntegerField(default=0)
    low_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    # Of the carrier itself (`billing.alerts.carrier`): empty, `down` or `refused`.
    carrier_told = models.CharField(max_length=8, blank=True, default="")

    def __str__(self) -> str:
        return str(self.brand)

    @property
    def episode(self) -> Episode:
        """The episode as `advance` takes it."""
        level = None if self.level is None else Level(self.level)
        return Episode(level, Level(self.told), self.low_at, self.stopped_at)
