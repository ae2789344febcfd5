"""Action items of staff: open transfers, stopped brands, empty accounts, failing carriers."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from billing.models import LimitsChange, Move, MovePolicy
from billing.models.transfer import is_unknown
from billing.statements.partner_balance import Account, list_partner_accounts
from portal.mail.log import count_refused
from portal.models import Brand
from portal.resilience import circuit_breaker


@dataclass(frozen=True)
class ActionItems:
    """Numbers of unknown and waiting transfers, and the brands that need attention.

    `stopped`: transfers are stopped. `low_accounts`: the partner account is empty or low, the most urgent
    first. `failing_carriers`: the
    circuit breaker is open. `raised`: an operator has requested higher limits; for operators only.
    `refused_emails`: emails that were refused since yesterday.
    """

    unknown: int
    waiting: int
    stopped: list[Brand]
    low_accounts: list[Account]
    failing_carriers: list[Brand]
    raised: list[Brand]
    refused_emails: int

    def __bool__(self) -> bool:
        return any(vars(self).values())


def get_action_items(*, brands: QuerySet[Brand], operates: bool) -> ActionItems:
    """Return the action items of these brands from stored data, without calling a carrier."""
    accounts = list_partner_accounts(brands=brands)
    listed = [account.brand for account in accounts]
    low = [account for account in accounts if account.status.state in ("empty", "low")]
    counts = Move.objects.filter(brand__in=listed).aggregate(
        unknown=Count("pk", filter=is_unknown()),
        waiting=Count("pk", filter=Q(state=Move.State.WAITING)),
    )
    stopped = MovePolicy.objects.filter(brand__in=listed, stopped_at__isnull=False)
    stopped_ids = set(stopped.values_list("brand_id", flat=True))
    changes = LimitsChange.objects.filter(state=LimitsChange.State.WAITING, policy__brand__in=listed)
    raised = set(changes.values_list("policy__brand", flat=True)) if operates else set()
    return ActionItems(
        **counts,
        stopped=[brand for brand in listed if brand.pk in stopped_ids],
        low_accounts=sorted(low, key=lambda account: (account.status.days or 0, account.brand.name)),
        failing_carriers=[brand for brand in listed if circuit_breaker.get_breaker(brand).is_open],
        raised=[brand for brand in listed if brand.pk in raised],
        refused_emails=count_refused(brands=brands, to_staff=operates),
    )


def count_open_transfers() -> dict[tuple[str, ...], float]:
    """Return the numbers of unknown and waiting transfers by (brand slug, state), for Prometheus."""
    conditions = {"unknown": is_unknown(), "waiting": Q(state=Move.State.WAITING)}
    slugs = Brand.objects.values_list("slug", flat=True)
    result: dict[tuple[str, ...], float] = {(slug, state): 0.0 for slug in slugs for state in conditions}
    for state, condition in conditions.items():
        rows = Move.objects.filter(condition).values_list("brand__slug").annotate(Count("pk"))
        result |= {(slug, state): float(number) for slug, number in rows}
    return result
