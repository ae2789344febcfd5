"""A customer's new e-mail address: proved by a code to the new mailbox, told to the old one."""

import contextlib
import logging

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import SignInCode, User, with_email
from accounts.services.customers import discard_pending_account_number
from accounts.sign_in.codes import create_code, redeem_code
from accounts.sign_in.history import end_other_sign_ins
from portal.core.email_addresses import email_key
from portal.mail import send as mail
from portal.models import Brand
from portal.resilience import rate_limits

logger = logging.getLogger(__name__)


class EmailTaken(Exception):
    """Somebody else of the brand got this address in the meantime."""


def request_email_change(
    *, brand: Brand, user: User, email: str, network: str, browser: str
) -> tuple[SignInCode, bool]:
    """Mail a code to the new address; where another customer has it already, a mail that says so.

    Gives the code's row, and whether the mail server confirmed the mail (see `mail.send`).

    The caller cannot tell the two apart. Raises Limited and MailNotSent; with either, nothing is left behind.
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
    template = "email_taken" if _taken(user, email) else "email_code"
    try:
        sure = mail.send(brand=brand, to=email, template=template, language=user.language, code=code)
    except mail.MailNotSent:
        for each in (row, attempt, by):
            each.delete()
        raise
    return row, sure


def _taken(user: User, email: str) -> bool:
    same = User.objects.filter(with_email(email), brand=user.brand_id)
    return same.exclude(pk=user.pk).exists()


def confirm_email_change(
    *, brand: Brand, user: User, code_id: int, browser: str, code: str, sign_in: int
) -> None:
    """Change the address to the one whose code this is; all sessions but `sign_in` end, the old one is told.

    The caller binds its own session to the user again. Raises CodeRefused and EmailTaken.
    """
    row = redeem_code(brand=brand, code_id=code_id, browser=browser, code=code, user=user)
    old, user.email = user.email, row.new_email
    user.verified_at, user.confirmed_at = timezone.now(), None
    try:
        with transaction.atomic():
            _address_keep(user, old, exclude=sign_in)
    except IntegrityError as error:
        raise EmailTaken from error
    logger.info("e-mail address changed", extra={"brand": brand.slug, "customer": user.pk, "by": "customer"})
    with contextlib.suppress(mail.MailNotSent):  # Logged there; the change stands.
        mail.send(
            brand=brand,
            to=old,
            template="email_changed_old",
            language=user.language,
            by_staff=False,
        )


def _address_keep(user: User, old: str, exclude: int = 0) -> None:
    """Save the new address; whatever waited for the former one, or was begun with it, ends.

    The carrier, whom nobody has told, goes on with the one that it knows.
    """
    known = user.carrier_email or old
    user.carrier_email = "" if email_key(known) == email_key(user.email) else known
    user.save(update_fields=["email", "verified_at", "confirmed_at", "carrier_email"])
    discard_pending_account_number(user=user)
    end_sessions_and_codes(user=user, exclude=exclude)


def reset_email_proofs(*, user: User, old: str) -> None:
    """The new address has everything to prove again; sessions and codes of the former one end."""
    user.verified_at = user.confirmed_at = None
    _address_keep(user, old)
    logger.info("e-mail address changed", extra={"customer": user.pk, "by": "staff"})


def send_email_changed_mails(*, user: User, old: str) -> bool:
    """Tell both mailboxes what staff did. Whether both mails were sent; the change stands all the same."""
    assert user.brand  # Only customers have mailboxes that we write to.
    sent = True
    for to, template in ((old, "email_changed_old"), (user.email, "email_changed_new")):
        try:
            sent &= mail.send(
                brand=user.brand,
                to=to,
                template=template,
                language=user.language,
                by_staff=True,
            )
        except mail.MailNotSent:
            sent = False
    return sent


def end_sessions_and_codes(*, user: User, exclude: int = 0) -> None:
    """End the customer's sessions, all or all but one, and the codes that wait to be typed."""
    end_other_sign_ins(user=user, exclude=exclude)
    SignInCode.objects.filter(user=user).delete()
