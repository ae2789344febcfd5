"""A brand's rules for transfers, and pending changes of its limits."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models import Brand


class MovePolicy(models.Model):
    """A brand's rules for transfers, set by operators. Amounts in the brand's currency."""

    LIMITS = ("per_move", "per_day", "second_person_above")  # Each allows more the higher it is.

    brand = models.OneToOneField(Brand, models.CASCADE, related_name="move_policy", verbose_name=_("brand"))
    per_move = models.DecimalField(
        _("limit per transfer"), max_digits=12, decimal_places=2, default=Decimal(500)
    )
    per_day = models.DecimalField(
        _("daily limit (last 24 hours)"), max_digits=12, decimal_places=2, default=Decimal(2000)
    )
    second_person_above = models.DecimalField(
        _("approval needed above"), max_digits=12, decimal_places=2, default=Decimal(200)
    )
    stopped_at = models.DateTimeField(_("transfers paused since"), null=True, editable=False)
    stopped_why = models.CharField(max_length=200, blank=True, editable=False)
    # The test refund whose direction an operator has checked; without it refunds are off.
    back_move = models.ForeignKey("billing.Move", models.PROTECT, null=True, editable=False, related_name="+")
    back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    back_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("transfer rules")
        verbose_name_plural = _("transfer rules")

    def __str__(self) -> str:
        return str(self.brand)


class LimitsChange(models.Model):
    """Higher limits that an operator has requested; an unchanged limit is None.

    Without `effective_at` another operator has to confirm them; with it they take effect by themselves
    then. The number of operators at the time of the request decides which.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        WITHDRAWN = "withdrawn"

    policy = models.ForeignKey(MovePolicy, models.CASCADE, related_name="changes")
    per_move = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    second_person_above = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    effective_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("policy",), condition=Q(state="waiting"), name="one_limits_change_waits"
            ),
        )

    def __str__(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.limits.items())

    @property
    def limits(self) -> dict[str, Decimal]:
        """Name → requested higher limit."""
        values = {name: getattr(self, name) for name in MovePolicy.LIMITS}
        return {name: value for name, value in values.items() if value is not None}
