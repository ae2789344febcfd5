"""Store a log of calls to the carrier: method, customer and result, but no parameters or secrets."""

import logging

from django.db import Error, transaction
from django.utils import timezone

from portal.models import CarrierCall

logger = logging.getLogger(__name__)


def log_call(call: CarrierCall) -> None:
    """Store a call. A database error is logged and otherwise ignored."""
    try:
        with transaction.atomic():
            call.save()
    except Error as error:
        logger.error("call not written down", extra={"method": call.method, "error": type(error).__name__})


def prune_call_log() -> int:
    """Delete calls older than 30 days. Return their number."""
    return CarrierCall.objects.filter(at__lt=timezone.now() - CarrierCall.KEPT).delete()[0]
