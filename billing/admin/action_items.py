"""What needs the people who work here: moves, brands that stand still, empty accounts, carriers that fail."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from billing.models import LimitsChange, Move, MovePolicy
from billing.statements.partner_balance import list_partner_accounts
from billing.transfers.alerts import is_unknown
from portal.models import Brand
from portal.resilience import circuit_breaker


@dataclass(frozen=True)
class ActionItems:
    """How many moves are unknown or wait; whose moves are stopped, partner account empty, or carrier down.

    `raised` are the brands for which an operator has asked for higher limits; for operators alone.
    """

    unknown: int
    waiting: int
    stopped: list[Brand]
    empty_accounts: list[Brand]
    failing_carriers: list[Brand]
    raised: list[Brand]

    def __bool__(self) -> bool:
        return any(vars(self).values())


def get_action_items(*, brands: QuerySet[Brand], operates: bool) -> ActionItems:
    """By what is stored: the carrier is not asked, however many brands there are."""
    accounts = list_partner_accounts(brands=brands)
    listed = [account.brand for account in accounts]
    counts = Move.objects.filter(brand__in=listed).aggregate(
        unknown=Count("pk", filter=is_unknown()),
        waiting=Count("pk", filter=Q(state=Move.State.WAITING)),
    )
    stopped = MovePolicy.objects.filter(brand__in=listed, stopped_at__isnull=False)
    still = set(stopped.values_list("brand_id", flat=True))
    changes = LimitsChange.objects.filter(state=LimitsChange.State.WAITING, policy__brand__in=listed)
    raised = set(changes.values_list("policy__brand", flat=True)) if operates else set()
    return ActionItems(
        **counts,
        stopped=[brand for brand in listed if brand.pk in still],
        empty_accounts=[account.brand for account in accounts if account.status.state == "empty"],
        failing_carriers=[brand for brand in listed if circuit_breaker.get_breaker(brand).is_open],
        raised=[brand for brand in listed if brand.pk in raised],
    )


def count_open_transfers() -> dict[tuple[str, ...], float]:
    """How many moves of each brand are unknown, and how many wait for a second person."""
    wanted = {"unknown": is_unknown(), "waiting": Q(state=Move.State.WAITING)}
    slugs = Brand.objects.values_list("slug", flat=True)
    told: dict[tuple[str, ...], float] = {(slug, state): 0.0 for slug in slugs for state in wanted}
    for state, condition in wanted.items():
        rows = Move.objects.filter(condition).values_list("brand__slug").annotate(Count("pk"))
        told |= {(slug, state): float(number) for slug, number in rows}
    return told
