"""The user model: customers of the brands, staff and operators."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from portal.core.account_types import ACCOUNT_TYPES
from portal.core.email_addresses import email_spellings
from portal.core.money import AmountField
from portal.models import Brand

models.EmailField.register_lookup(Lower)  # `email__lower=…` uses the index of the unique constraints.


def with_email(email: str) -> models.Q:
    """Return the condition for users with this address, in any case and any stored spelling of its domain."""
    return models.Q(email__lower__in=email_spellings(email))


def _opaque() -> str:
    return uuid.uuid4().hex


class User(AbstractUser):
    """A customer (has a brand, signs in by an emailed code) or staff (no brand, signs in by password)."""

    username = models.CharField(max_length=32, unique=True, default=_opaque, editable=False)
    email = models.EmailField(_("email address"))
    brand = models.ForeignKey(
        Brand, models.PROTECT, null=True, blank=True, related_name="customers", verbose_name=_("brand")
    )
    brands = models.ManyToManyField(
        Brand, blank=True, related_name="staff", verbose_name=_("brands of this staff")
    )
    company_name = models.CharField(_("company"), max_length=150, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    carrier_email = models.EmailField(
        _("email address at the carrier"),
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Leave this empty if it's the same as here. The carrier emails its passwords to this address."
        ),
    )
    account_number = models.CharField(_("account number"), max_length=64, blank=True)
    offered_account_number = models.CharField(
        _("account number awaiting the first sign-in"), max_length=64, blank=True, editable=False
    )
    refused_account_number = models.CharField(
        _("account number from the carrier that wasn't saved"), max_length=64, blank=True
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

    account_number_is_new = False  # True during the request whose sign-in added the number.
    first_sign_in = False  # True during the request that verified the address for the first time.

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers and staff")
        # For the admin's list of a million users, and to find the customer of a number.
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
        """Email address at the carrier: the former one if it has been changed here."""
        return self.carrier_email or self.email
