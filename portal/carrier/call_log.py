"""The journal of calls to the carrier: what was asked for whom and how it ended; no parameter, no secret."""

import logging

from django.db import Error, transaction
from django.utils import timezone

from portal.models import CarrierCall

logger = logging.getLogger(__name__)


def log_call(call: CarrierCall) -> None:
    """Write a call down. A journal that cannot be written is logged and spoils nothing."""
    try:
        with transaction.atomic():
            call.save()
    except Error as error:
        logger.error("call not written down", extra={"method": call.method, "error": type(error).__name__})


def prune_call_log() -> int:
    """Remove what is older than 30 days; how many."""
    return CarrierCall.objects.filter(at__lt=timezone.now() - CarrierCall.KEPT).delete()[0]
