"""Transfers of funds and their audit log."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from portal.core.money import AmountField
from portal.models import Brand


def is_unknown() -> Q:
    """Return the condition for which `Move.outcome` is unknown."""
    now = timezone.now()
    in_time = Q(dispatched_at__range=(now - Move.LONGEST, now + Move.LONGEST))
    lost = Q(dispatched_at=None) | ~in_time
    return Q(state=Move.State.UNKNOWN) | Q(state=Move.State.DISPATCHED) & lost


class MoveQuerySet(models.QuerySet["Move"]):
    """Transfers."""

    def unknown(self) -> "MoveQuerySet":
        """Return those whose outcome is unknown, including those that were sent but never answered."""
        return self.filter(is_unknown())


class Move(models.Model):
    """One transfer of funds. `operation` is its idempotency key, however often its form is sent.

    A positive amount goes from the partner account to the customer, a negative one back. The row is stored as
    DISPATCHED before the carrier is called, outside any transaction; then the carrier is called once.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("awaiting approval")
        DECLINED = "declined", _("declined")
        EXPIRED = "expired", _("expired (not approved in time)")
        DISPATCHED = "dispatched", _("being sent")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused by the carrier")
        NOT_SENT = "not_sent", _("not sent")
        UNKNOWN = "unknown", _("unknown")
        FOUND_DONE = "found_done", _("confirmed by staff: paid")
        FOUND_NOT_DONE = "found_not_done", _("confirmed by staff: not paid")

    # Reasons, stored in English and translated when shown.
    WRONG_WAY = gettext_noop("The carrier's answer to a transfer shows a balance that changed the wrong way.")
    OTHER_AMOUNT = gettext_noop(
        "The carrier's answer to a transfer shows a balance that changed by a different amount."
    )
    # As older rows have them.
    _BOOKED_OTHERWISE = (
        gettext_noop("The carrier's answer to a move shows a balance that did not go the stated way."),
        gettext_noop(
            "The carrier's answer to a move shows a balance that changed by another amount than was asked "
            "for."
        ),
    )
    # Longer than any call: an older transfer without an answer is unknown.
    LONGEST = timedelta(seconds=60)
    APPROVED_WITHIN = timedelta(hours=24)
    OPEN = (State.DISPATCHED, State.UNKNOWN)  # May have happened: blocks others.
    COUNTED = (*OPEN, State.WAITING, State.DONE, State.FOUND_DONE)  # Counts towards the daily limit.

    operation = models.UUIDField(_("operation"), unique=True, default=uuid.uuid4, editable=False)
    brand = models.ForeignKey(Brand, models.PROTECT, related_name="moves", verbose_name=_("brand"))
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="moves", verbose_name=_("customer")
    )
    account_number = models.CharField(_("account number"), max_length=64)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    description = models.CharField(_("description"), max_length=140)
    state = models.CharField(_("state"), max_length=14, choices=State.choices)
    why = models.CharField(_("reason"), max_length=200, blank=True)
    status = models.PositiveSmallIntegerField(null=True)

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    asked_at = models.DateTimeField(_("asked"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("approved by")
    )
    dispatched_at = models.DateTimeField(_("sent"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("resolved by")
    )
    alerted_at = models.DateTimeField(null=True)

    customer_before = AmountField(_("customer's balance before"))
    partner_before = AmountField(_("partner balance before"))
    customer_after = AmountField(_("customer's balance after"))
    partner_after = AmountField(_("partner balance after"))

    objects = MoveQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = (
            models.CheckConstraint(condition=~Q(amount=0), name="a_move_moves_something"),
            models.UniqueConstraint(
                fields=("customer",),
                condition=Q(state__in=("dispatched", "unknown")),
                name="one_open_move_per_customer",
            ),
        )
        indexes = (
            models.Index(fields=("brand", "asked_at"), name="move_by_brand"),
            models.Index(fields=("state", "dispatched_at"), name="move_by_state"),
        )
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")

    def __str__(self) -> str:
        return f"{self.amount} {self.account_number}"

    @property
    def outcome(self) -> str:
        """The state to show: a transfer sent more than 60 s ago without an answer is unknown."""
        if self.state == self.State.DISPATCHED and self._is_lost(timezone.now()):
            return str(self.State.UNKNOWN)
        return str(self.state)

    @property
    def booked_otherwise(self) -> bool:
        """True if the balance in the answer did not change as requested; then transfers stop."""
        return self.why in (self.WRONG_WAY, self.OTHER_AMOUNT, *self._BOOKED_OTHERWISE)

    @property
    def customer_change(self) -> Decimal | None:
        """Change of the customer's balance; None if one of the two balances is not known."""
        return _change(self.customer_before, self.customer_after)

    @property
    def partner_change(self) -> Decimal | None:
        """Change of the partner balance; it proves nothing, as other transfers and calls change it too."""
        return _change(self.partner_before, self.partner_after)

    def _is_lost(self, now: datetime) -> bool:
        # Also if a clock that was far ahead has sent it.
        return self.dispatched_at is None or abs(now - self.dispatched_at) > self.LONGEST


def _change(before: Decimal | None, after: Decimal | None) -> Decimal | None:
    return None if before is None or after is None else after - before


class MoveEvent(models.Model):
    """One entry of a transfer's audit log: who, what, and both balances. Rows are never changed.

    Triggers in the database refuse every UPDATE and DELETE; see `billing.triggers`.
    """

    move = models.ForeignKey(Move, models.PROTECT, related_name="events")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=14, choices=Move.State.choices)
    brand = models.SlugField()
    account_number = models.CharField(max_length=64)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    operation = models.UUIDField()
    customer_balance = AmountField()
    partner_balance = AmountField()
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("at", "pk")
        verbose_name = _("event of a transfer")
        verbose_name_plural = _("events of transfers")

    def __str__(self) -> str:
        return f"{self.state} {self.at:%Y-%m-%d %H:%M:%S}"
