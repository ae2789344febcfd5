"""The row behind a preview link."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BrandPreview(models.Model):
    """A brand's look as somebody typed it, unsaved. No host, no key, nothing of the carrier.

    One that is `kept` never changes, so that whoever got its link sees what was meant; any other follows the
    form it belongs to. `brand` is None while the brand itself is still to be added.
    """

    brand = models.ForeignKey("portal.Brand", models.CASCADE, null=True, related_name="previews")
    look = models.JSONField()
    logo = models.BinaryField(default=b"")
    logo_type = models.CharField(max_length=20, blank=True)
    logo_hash = models.CharField(max_length=16, blank=True)
    kept = models.BooleanField()
    made_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("preview")
        verbose_name_plural = _("previews")

    def __str__(self) -> str:
        return f"preview of {self.made_at:%Y-%m-%d %H:%M:%S}"
