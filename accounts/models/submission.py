"""Model of sent forms, so that each acts once."""

from datetime import timedelta

from django.db import models

from portal.models import Brand


class Submission(models.Model):
    """A form sent with a captcha token, and its outcome; see `services.idempotency`."""

    LIFETIME = timedelta(minutes=10)

    brand = models.ForeignKey(Brand, models.CASCADE)
    kind = models.CharField(max_length=20)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_index=True)
    outcome = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.created_at:%Y-%m-%d %H:%M:%S}"
