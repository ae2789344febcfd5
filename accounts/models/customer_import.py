"""Model of an uploaded customer file that waits for confirmation."""

from datetime import timedelta

from django.conf import settings
from django.db import models


class CustomerImport(models.Model):
    """An uploaded file between its dry run and its confirmation, which another node may serve."""

    LIFETIME = timedelta(hours=1)

    brand = models.ForeignKey("portal.Brand", models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    data = models.BinaryField()
    made_at = models.DateTimeField(db_index=True)
    done_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
