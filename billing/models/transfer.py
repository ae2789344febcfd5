"""Moves of funds, with all that happened to them."""

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


class Move(models.Model):
    """One move of funds; `operation` makes it one, however often its form is sent.

    A positive amount goes from the partner account to the customer, a negative one back. The row is stored as
    DISPATCHED before the carrier is asked, and outside any transaction; then the carrier is asked once.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for a second person")
        DECLINED = "declined", _("declined")
        EXPIRED = "expired", _("expired unapproved")
        DISPATCHED = "dispatched", _("being sent")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused by the carrier")
        NOT_SENT = "not_sent", _("not sent")
        UNKNOWN = "unknown", _("unknown")
        FOUND_DONE = "found_done", _("was unknown, found done")
        FOUND_NOT_DONE = "found_not_done", _("was unknown, found not done")

    # Reasons, stored in English and translated where they are shown.
    WRONG_WAY = gettext_noop("The carrier's answer to a move shows a balance that did not go the stated way.")
    OTHER_AMOUNT = gettext_noop(
        "The carrier's answer to a move shows a balance that changed by another amount than was asked for."
    )
    # Longer than any call lasts; older than this, nobody is waiting for an answer any more.
    LONGEST = timedelta(seconds=60)
    APPROVED_WITHIN = timedelta(hours=24)
    OPEN = (State.DISPATCHED, State.UNKNOWN)  # May have happened, and no one knows: blocks others.
    COUNTED = (*OPEN, State.WAITING, State.DONE, State.FOUND_DONE)  # What counts towards the day's limit.

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
        verbose_name = _("move of funds")
        verbose_name_plural = _("moves of funds")

    def __str__(self) -> str:
        return f"{self.amount} {self.account_number}"

    @property
    def outcome(self) -> str:
        """The state as it is to be read: a move sent more than 60 s ago without an end is unknown."""
        if self.state == self.State.DISPATCHED and self._is_lost(timezone.now()):
            return str(self.State.UNKNOWN)
        return str(self.state)

    @property
    def booked_otherwise(self) -> bool:
        """Whether the carrier's answer shows a balance that did not change as asked; then moves stop."""
        return self.why in (self.WRONG_WAY, self.OTHER_AMOUNT)

    @property
    def customer_change(self) -> Decimal | None:
        """By how much the customer's balance has changed; None where one of the two is not known."""
        return _change(self.customer_before, self.customer_after)

    @property
    def partner_change(self) -> Decimal | None:
        """The same of the partner balance, which other moves and calls change too: it proves nothing."""
        return _change(self.partner_before, self.partner_after)

    def _is_lost(self, now: datetime) -> bool:
        # Also where a clock that was far ahead has sent it.
        return self.dispatched_at is None or abs(now - self.dispatched_at) > self.LONGEST


def _change(before: Decimal | None, after: Decimal | None) -> Decimal | None:
    return None if before is None or after is None else after - before


class MoveEvent(models.Model):
    """One thing that happened to a move: who, what, with which balances. Rows are added and never changed.

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
        verbose_name = _("event of a move")
        verbose_name_plural = _("events of moves")

    def __str__(self) -> str:
        return f"{self.state} {self.at:%Y-%m-%d %H:%M:%S}"
