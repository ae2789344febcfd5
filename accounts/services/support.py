"""What staff see of a customer's codes, and how they help: lift a limit, sign them out."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import SignInCode, User
from accounts.services.change_log import log_entries
from accounts.services.deactivation import end_sessions
from portal.resilience import rate_limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodeState:
    """A code: when it was asked for, and what became of it. Never the code itself."""

    asked_at: datetime
    state: Promise | str


def list_codes(*, customer: User, most: int) -> list[CodeState]:
    """Return the customer's codes of the last day, the newest first."""
    rows = SignInCode.objects.filter(user=customer).order_by("-created_at")
    return [CodeState(row.created_at, _describe(row)) for row in rows[:most]]


def _describe(code: SignInCode) -> Promise | str:
    if code.used_at:
        return _("used")
    if code.tries >= SignInCode.TRIES:
        return _("refused after three wrong tries")
    if code.expires_at < timezone.now():
        return _("wrong code typed, then expired") if code.tries else _("expired, not used")
    return _("wrong code typed, still valid") if code.tries else _("still valid")


def codes_limited_until(*, customer: User) -> datetime | None:
    """Return until when some browser of this customer gets no code; None if each gets one."""
    assert customer.brand
    return rate_limits.limited_until(brand=customer.brand, action="sign_in_code", email=customer.email)


def lift_code_limit(*, customer: User, by: User) -> None:
    """Let the customer ask for codes again at once."""
    assert customer.brand
    with transaction.atomic():
        rate_limits.lift(brand=customer.brand, action="sign_in_code", email=customer.email)
        log_entries(by=by, entries=[(customer, CHANGE, gettext("Lifted the limit on sign-in codes."))])
    logger.info("code limit lifted", extra={"customer": customer.pk, "by": by.pk})


def sign_out(*, customer: User, by: User) -> None:
    """End all sessions of the customer, and their codes."""
    with transaction.atomic():
        end_sessions(customers=[customer])
        log_entries(by=by, entries=[(customer, CHANGE, gettext("Signed out everywhere."))])
    logger.info("customer signed out", extra={"customer": customer.pk, "by": by.pk})
