"""People: the brands' customers, and those who work in the admin. And what signing in leaves behind."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.import_model import CustomerImport as CustomerImport
from accounts.staff_models import RecoveryCode as RecoveryCode
from accounts.staff_models import StaffEvent as StaffEvent
from accounts.staff_models import TotpDevice as TotpDevice
from portal.amounts import AmountField
from portal.models import Attempt, Brand
from portal.net import email_spellings

models.EmailField.register_lookup(Lower)  # `email__lower=…` uses the index of the unique constraints.


# How the carrier bills an account; empty where nobody has told us.
PREPAID, POSTPAID = "prepaid", "postpaid"
ACCOUNT_TYPES = [(PREPAID, _("prepaid")), (POSTPAID, _("postpaid"))]


def with_email(email: str) -> models.Q:
    """Whoever has this address, in whatever case and spelling of its domain: of those that a row may hold."""
    return models.Q(email__lower__in=email_spellings(email))


def _opaque() -> str:
    return uuid.uuid4().hex


class User(AbstractUser):
    """A customer (brand set, signs in by a mailed code) or a person of the admin (brand empty, password)."""

    username = models.CharField(max_length=32, unique=True, default=_opaque, editable=False)
    email = models.EmailField(_("e-mail address"))
    brand = models.ForeignKey(
        Brand, models.PROTECT, null=True, blank=True, related_name="customers", verbose_name=_("brand")
    )
    brands = models.ManyToManyField(
        Brand, blank=True, related_name="staff", verbose_name=_("brands of this staff")
    )
    company_name = models.CharField(_("company"), max_length=150, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    carrier_email = models.EmailField(
        _("e-mail address at the carrier"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Empty means: the same as here. The carrier mails its passwords to it."),
    )
    account_number = models.CharField(_("account number"), max_length=64, blank=True)
    offered_account_number = models.CharField(
        _("account number awaiting the first sign-in"), max_length=64, blank=True, editable=False
    )
    refused_account_number = models.CharField(
        _("account number the carrier gave that was not taken over"), max_length=64, blank=True
    )
    account_type = models.CharField(
        _("account type"), max_length=8, blank=True, default="", db_default="", choices=ACCOUNT_TYPES
    )
    credit_limit = AmountField(
        _("credit limit"), help_text=_("How far the balance may go, such as -55 for 55 below zero.")
    )
    confirmed_at = models.DateTimeField(_("confirmed at the carrier"), null=True, blank=True, editable=False)
    verified_at = models.DateTimeField(_("first sign-in by code"), null=True, blank=True, editable=False)

    language = models.CharField(
        _("language of the last sign-in"), max_length=10, blank=True, default="", editable=False
    )

    account_number_is_new = False  # True for the request in which a sign-in brought the number.

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        # For the admin's list of a million people, and for whom a number belongs to.
        indexes = (
            models.Index(fields=("email", "id"), name="people_by_email"),
            models.Index(fields=("account_number",), name="people_by_number"),
            models.Index(
                fields=("refused_account_number",),
                condition=~models.Q(refused_account_number=""),
                name="people_by_refused_number",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(brand=None) | models.Q(is_staff=False, is_superuser=False),
                name="a_customer_is_never_staff",
            ),
            models.CheckConstraint(
                condition=models.Q(brand=None) | models.Q(password__startswith="!"),  # noqa: S106
                name="a_customer_has_no_password",
            ),
            models.UniqueConstraint(
                Lower("email"), "brand", name="email_once_per_brand", condition=models.Q(brand__isnull=False)
            ),
            models.UniqueConstraint(
                Lower("email"), name="email_once_among_staff", condition=models.Q(brand__isnull=True)
            ),
            models.UniqueConstraint(
                fields=("brand", "account_number"),
                condition=~models.Q(account_number=""),
                name="account_number_once_per_brand",
            ),
        )

    def __str__(self) -> str:
        return self.email

    @property
    def address_at_carrier(self) -> str:
        """The address that the carrier knows: the one from before, where it has been changed here."""
        return self.carrier_email or self.email


class SignInCode(models.Model):
    """One mailed code: eight digits, ten minutes, once, three tries, for one browser on one brand.

    For an address without an account a row is written too, without user, so that both look alike. With
    `new_email` it is no sign-in: whoever is signed in proves that this mailbox is theirs.
    """

    DIGITS = 8
    TRIES = 3
    LIFETIME = timedelta(minutes=10)
    KEPT = timedelta(days=1)  # After that, for whoever looks into a complaint.

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


class Submission(models.Model):
    """One form that carried a captcha token to the carrier, and how it ended; see `accounts.submissions`."""

    LIFETIME = timedelta(minutes=10)

    brand = models.ForeignKey(Brand, models.CASCADE)
    kind = models.CharField(max_length=20)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_index=True)
    outcome = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.created_at:%Y-%m-%d %H:%M:%S}"
