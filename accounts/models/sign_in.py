"""Signing in: codes that were mailed, and the sign-ins of a customer."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models.user import User
from portal.models import Attempt, Brand


class SignInCode(models.Model):
    """One mailed code: eight digits, ten minutes, once, three tries, for one browser on one brand.

    For an address without an account a row is written too, without user, so that both look alike. With
    `new_email` it is no sign-in: a signed-in customer proves that this mailbox is theirs.
    """

    DIGITS = 8
    TRIES = 3
    LIFETIME = timedelta(minutes=10)
    KEPT = timedelta(days=1)  # After that, so that staff can look into a complaint.

    brand = models.ForeignKey(Brand, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    new_email = models.EmailField(blank=True, default="", db_default="")
    code_hash = models.CharField(max_length=64)
    browser_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
    # What it was counted as, until that counts no more: without a constraint, so that it goes by itself.
    attempt = models.ForeignKey(Attempt, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")

    def __str__(self) -> str:
        return f"sign-in code of {self.created_at:%Y-%m-%d %H:%M:%S}"


class SignIn(models.Model):
    """One sign-in of a customer, from which browser, and when it ended (by hand; else it runs out)."""

    MOST = 50
    KEPT = timedelta(days=90)

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    at = models.DateTimeField()
    browser = models.CharField(max_length=20, blank=True)
    system = models.CharField(max_length=20, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("user", "at"), name="sign_in_by_user"),)

    def __str__(self) -> str:
        return f"sign-in of {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def ends_at(self) -> datetime:
        """When its session runs out, however much it is used."""
        return self.at + timedelta(seconds=settings.SESSION_COOKIE_AGE)

    @property
    def live(self) -> bool:
        """Whether its session is still good."""
        return self.ended_at is None and timezone.now() < self.ends_at

    @property
    def device(self) -> str:
        """ "Firefox on Windows", in the visitor's language."""
        if self.browser and self.system:
            names = {"browser": self.browser, "system": self.system}
            return gettext("%(browser)s on %(system)s") % names
        return self.browser or self.system or gettext("Another browser")
