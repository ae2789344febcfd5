"""Models of sign-in codes and of customers' sign-ins."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models.user import User
from portal.models import Attempt, Brand


class SignInCode(models.Model):
    """An emailed code: eight digits, valid once for ten minutes, three tries, for one browser on one brand.

    An address without an account gets a row too, without a user, so that both cases look alike. With
    `new_email` the code is not for a sign-in: a signed-in customer proves that they own that address.
    """

    DIGITS = 8
    TRIES = 3
    LIFETIME = timedelta(minutes=10)
    RETENTION = timedelta(days=1)  # After it expires, so that staff can check a complaint.

    brand = models.ForeignKey(Brand, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    new_email = models.EmailField(blank=True, default="", db_default="")
    code_hash = models.CharField(max_length=64)
    browser_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
    # The rate-limit row that counted it. No constraint: that row is deleted on its own schedule.
    attempt = models.ForeignKey(Attempt, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")

    def __str__(self) -> str:
        return f"sign-in code of {self.created_at:%Y-%m-%d %H:%M:%S}"


class SignIn(models.Model):
    """A sign-in of a customer: its browser, and when it was ended; otherwise it expires."""

    MAX_PER_USER = 50
    RETENTION = timedelta(days=90)

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
        """Time at which its session expires, regardless of use."""
        return self.at + timedelta(seconds=settings.SESSION_COOKIE_AGE)

    @property
    def live(self) -> bool:
        """True if its session is still valid."""
        return self.ended_at is None and timezone.now() < self.ends_at

    @property
    def device(self) -> str:
        """Browser and system in the visitor's language, such as "Firefox on Windows"."""
        if self.browser and self.system:
            names = {"browser": self.browser, "system": self.system}
            return gettext("%(browser)s on %(system)s") % names
        return self.browser or self.system or gettext("Unknown browser")
