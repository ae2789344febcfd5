"""Attempts that count against a rate limit of an email address."""

from django.db import models


class Attempt(models.Model):
    """One attempt that counts against a limit per address. See `portal.resilience.rate_limits`."""

    action = models.CharField(max_length=20)
    address = models.CharField(max_length=64, help_text="Keyed hash of brand and e-mail address.")
    network = models.CharField(max_length=64)
    at = models.DateTimeField()
    redeemed = models.BooleanField(
        default=False, db_default=False, help_text="The code that was mailed has signed somebody in."
    )

    class Meta:
        indexes = (
            models.Index(fields=("action", "address", "at"), name="attempt_by_address"),
            models.Index(fields=("at",), name="attempt_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M:%S}"
