"""Models of the second factor of staff: authenticator apps, recovery codes and events."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin, TimestampMixin

from portal.security.crypto import SecretField


class TotpDevice(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]
    """Authenticator app of a staff user (RFC 6238). Its key is encrypted.

    It is confirmed once the user has typed one of its codes. `last_t` is the newest used time step: each
    code is valid once.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="authenticator")
    key = SecretField(_("key"))
    last_t = models.BigIntegerField(default=-1)

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")


class RecoveryCode(models.Model):
    """A code that replaces the authenticator app once. Only its hash is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes")
    code_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "code_hash"), name="recovery_code_once"),)

    def __str__(self) -> str:
        return "recovery code"


class MutedNotice(models.Model):
    """A kind of emails that a staff user does not want (`accounts.staff.notices.KINDS`)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="muted_notices")
    kind = models.CharField(max_length=20)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "kind"), name="notice_muted_once"),)

    def __str__(self) -> str:
        return self.kind


class StaffEvent(models.Model):
    """An event of a staff user's sign-in. `by` is None for the command line."""

    KINDS = (
        ("signed_in", _("signed in")),
        ("enrolled", _("authenticator app set up")),
        ("recovery_used", _("recovery code used")),
        ("recovery_made", _("new recovery codes made")),
        ("reset", _("authenticator app reset")),
        ("password_set", _("password set")),
    )
    # If another user did this, that user may have taken over the account.
    HANDED_OVER = ("reset", "password_set")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="staff_events", verbose_name=_("person")
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(_("event"), max_length=20, choices=KINDS)
    at = models.DateTimeField(_("time"))

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (models.Index(fields=("user", "at"), name="staff_event_by_user"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"
