"""Models of sign-in codes and of customers' sign-ins."""

from datetime import datetime, timedelta

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
    """A sign-in of a customer: its browser, its session, and when that ends.

    `expires_at` is null in rows of versions that had one length for all sessions. `session_key` is the key in
    `django_session`, so that the customer can end this session alone; empty in older rows. It is not
    encrypted, because that table holds it too. `device_id` is the browser's name in its device cookie
    (`accounts.sign_in.device_cookies`), or empty. `revoked`: the customer ended it from another device.
    """

    MAX_PER_USER = 50
    RETENTION = timedelta(days=90)
    SHORT = timedelta(hours=12)  # The cookie may end before: with the browser.
    LONG = timedelta(days=30)  # If the customer chose to stay signed in.
    _OLD = timedelta(days=14)  # Without `expires_at`.

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    at = models.DateTimeField()
    browser = models.CharField(max_length=20, blank=True)
    system = models.CharField(max_length=20, blank=True)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    session_key = models.CharField(max_length=40, blank=True, default="", db_default="")
    device_id = models.CharField(max_length=32, blank=True, default="", db_default="")
    revoked = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = (models.Index(fields=("user", "at"), name="sign_in_by_user"),)

    def __str__(self) -> str:
        return f"sign-in of {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def ends_at(self) -> datetime:
        """Time at which its session expires, regardless of use."""
        return self.expires_at or self.at + self._OLD

    @property
    def ends_with_browser(self) -> bool:
        """True if the browser forgets the session when it closes."""
        return self.ends_at - self.at <= self.SHORT

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
