"""Tell staff of a carrier that has not responded for five minutes, or that refuses our key."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.staff.notices import list_recipients, queue_emails
from billing.models import PartnerAlert
from portal.mail.send import admin_link
from portal.models import Brand, CarrierCall

logger = logging.getLogger(__name__)

_DOWN_FOR = timedelta(minutes=5)
_LOOK_BACK = timedelta(minutes=30)
# Error classes of `portal.voipline`, as the call log stores them. Any other outcome is an answer.
_NO_ANSWER = ("BadAnswer", "NoAnswer", "ServerError", "Unreachable")
_KEY_REFUSED = ("NotAuthorised",)


def watch_carriers() -> int:
    """Look at the calls of the last half hour; return about how many brands staff were emailed.

    Each brand's partner balance is read every five minutes, which gives enough calls to judge by. Staff get
    one email about a carrier, and the next one only after it has answered again.
    """
    since = timezone.now() - _LOOK_BACK
    calls = CarrierCall.objects.filter(at__gte=since)
    answered = dict(
        calls.exclude(outcome__in=_NO_ANSWER + _KEY_REFUSED).values_list("brand").annotate(Max("at"))
    )
    # Calls for a customer may fail for their account alone.
    bad = calls.filter(outcome__in=_NO_ANSWER + _KEY_REFUSED, customer=None)
    failing = {
        brand: state
        for brand in bad.values_list("brand", flat=True).distinct()
        if (state := _state(bad.filter(brand=brand, at__gt=answered.get(brand, since))))
    }
    recovered = PartnerAlert.objects.exclude(carrier_told="").filter(brand__in=answered)
    recovered.exclude(brand__in=failing).update(carrier_told="")
    return sum(_tell(brand, state) for brand, state in failing.items())


def _state(failed: QuerySet[CarrierCall]) -> str:
    """Return `refused`, `down` or empty, by a brand's failed calls since its last answer."""
    found = failed.aggregate(
        first=Min("at"),
        last=Max("at"),
        refused=Count("pk", filter=Q(outcome__in=_KEY_REFUSED)),
        all=Count("pk"),
    )
    if found["all"] < 2:
        return ""
    if found["refused"] == found["all"]:
        return "refused"
    return "down" if found["last"] - found["first"] >= _DOWN_FOR else ""


def _tell(brand_id: int, state: str) -> bool:
    """Queue the emails, unless staff got them already."""
    with transaction.atomic():
        untold = PartnerAlert.objects.filter(brand=brand_id).exclude(carrier_told=state)
        if not untold.update(carrier_told=state):
            return False
        _queue_emails(Brand.objects.get(pk=brand_id), state)
    return True


def _queue_emails(brand: Brand, state: str) -> None:
    logger.error("carrier does not respond", extra={"brand": brand.slug, "state": state})
    path = reverse("admin:portal_carriercall_changelist", urlconf=settings.ADMIN_URLCONF)
    queue_emails(
        people=list_recipients(brand=brand, kind="carrier_down"),
        brand=brand,
        template="carrier_down",
        values={"key_refused": state == "refused", "url": f"{admin_link(path)}?brand={brand.pk}"},
    )
