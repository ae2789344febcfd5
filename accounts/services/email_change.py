"""Change a customer's email address: verify the new one by a code, and notify the old one."""

import logging

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import SignInCode, User, with_email
from accounts.services.customers import discard_pending_account_number
from accounts.sign_in.codes import create_code, redeem_code
from accounts.sign_in.history import end_other_sign_ins, name_device
from portal.core.email_addresses import email_key
from portal.mail import outbox
from portal.mail import send as mail
from portal.models import Brand
from portal.resilience import rate_limits

logger = logging.getLogger(__name__)


class EmailTaken(Exception):
    """Another customer of the brand has taken this address since the code was sent."""


def request_email_change(
    *, brand: Brand, user: User, email: str, network: str, browser: str, client: tuple[str, str] = ("", "")
) -> tuple[SignInCode, bool]:
    """Email a code to the new address, or a notice if another customer has that address.

    `client` names the visitor's browser and system, each empty if unknown. Return the code's row, and True if
    the mail server confirmed the message (see `mail.send`). The caller cannot tell the two cases apart.
    Raises Limited and MailNotSent; with either, no rows are left.
    """
    by = rate_limits.record_attempt(
        brand=brand, action="email_change_by", email=f"customer {user.pk}", network=network
    )
    try:
        attempt = rate_limits.record_attempt(brand=brand, action="email_change", email=email, network=network)
    except rate_limits.Limited:
        by.delete()
        raise
    row, code = create_code(brand=brand, user=user, browser=browser, new_email=email)
    template = "email_taken" if _is_taken(user, email) else "email_code"
    try:
        confirmed = mail.send(
            brand=brand,
            to=email,
            template=template,
            language=user.language,
            code=code,
            asked_at=row.created_at,
            device=lambda: name_device(*client),
        )
    except mail.MailNotSent:
        for each in (row, attempt, by):
            each.delete()
        raise
    return row, confirmed


def _is_taken(user: User, email: str) -> bool:
    holders = User.objects.filter(with_email(email), brand=user.brand_id)
    return holders.exclude(pk=user.pk).exists()


def confirm_email_change(
    *, brand: Brand, user: User, code_id: int, browser: str, code: str, sign_in: int
) -> None:
    """Change the address to the one that this code verifies. Raises CodeRefused and EmailTaken.

    All sessions except `sign_in` end, and the old address is notified. The caller must bind its own session
    to the user again.
    """
    row = redeem_code(brand=brand, code_id=code_id, browser=browser, code=code, user=user, new_email=True)
    old, user.email = user.email, row.new_email
    user.verified_at, user.confirmed_at = timezone.now(), None
    try:
        with transaction.atomic():
            _save_email(user, old, exclude=sign_in)
            outbox.add(
                brand=brand,
                to=old,
                template="email_changed_old",
                language=user.language,
                person=user.pk,
                by_staff=False,
            )
    except IntegrityError as error:
        raise EmailTaken from error
    logger.info("e-mail address changed", extra={"brand": brand.slug, "customer": user.pk, "by": "customer"})


def _save_email(user: User, old: str, exclude: int = 0) -> None:
    """Save the new address. Pending account number, codes and sessions of the former one end.

    The carrier is not informed, so `carrier_email` keeps the address that it knows.
    """
    known = user.carrier_email or old
    user.carrier_email = "" if email_key(known) == email_key(user.email) else known
    user.save(update_fields=["email", "verified_at", "confirmed_at", "carrier_email"])
    discard_pending_account_number(user=user)
    end_sessions_and_codes(user=user, exclude=exclude)


def reset_email_proofs(*, user: User, old: str) -> None:
    """Mark the new address as unverified, and end sessions and codes of the former one."""
    user.verified_at = user.confirmed_at = None
    _save_email(user, old)
    logger.info("e-mail address changed", extra={"customer": user.pk, "by": "staff"})


def send_email_changed_mails(*, user: User, old: str) -> bool:
    """Notify both addresses of a change by staff. Return True if both emails were sent."""
    assert user.brand  # Only for customers, who have a brand.
    sent = True
    for to, template in ((old, "email_changed_old"), (user.email, "email_changed_new")):
        try:
            sent &= mail.send(
                brand=user.brand,
                to=to,
                template=template,
                language=user.language,
                person=user.pk,
                by_staff=True,
            )
        except mail.MailNotSent:
            sent = False
    return sent


def end_sessions_and_codes(*, user: User, exclude: int = 0) -> None:
    """End the customer's sessions (except `exclude`), and delete their pending codes."""
    end_other_sign_ins(user=user, exclude=exclude)
    SignInCode.objects.filter(user=user).delete()
