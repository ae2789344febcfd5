"""Brand looks from unsaved forms, for preview links."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BrandPreview(models.Model):
    """A brand's look from an unsaved form. It has no host, no key and nothing of the carrier.

    A preview that is `kept` never changes, so that everyone with its link sees the same; any other follows
    its form. `brand` is None while the brand is not saved yet.
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
