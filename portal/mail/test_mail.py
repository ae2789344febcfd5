"""Send a brand's test mail, and explain the mail server's refusals to operators."""

import smtplib
import socket
import ssl

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.mail import send as mail
from portal.mail import smtp_backend
from portal.mail.send import MailNotSent
from portal.models import Brand

# The first match counts, so subclasses come before their base classes.
_CAUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Promise], ...] = (
    (
        smtplib.SMTPAuthenticationError,
        _("The mail server does not accept user and password. Check them in EMAIL_URL."),
    ),
    (
        smtplib.SMTPSenderRefused,
        _("The mail server refuses the sender. Check that its account may send for this sender’s domain."),
    ),
    (
        smtplib.SMTPRecipientsRefused,
        _("The mail server refuses the recipient. Check the address, and whether the server sends mail on."),
    ),
    (
        (smtplib.SMTPNotSupportedError, ssl.SSLError),
        _(
            "No encrypted connection to the mail server came about. In EMAIL_URL, check smtp+tls or "
            "smtp+ssl, and the port."
        ),
    ),
    (socket.gaierror, _("The name of the mail server is not known. Check the host in EMAIL_URL.")),
    (
        (ConnectionRefusedError, TimeoutError),
        _("The mail server cannot be reached. Check host and port in EMAIL_URL, and the firewall between."),
    ),
    (
        smtp_backend.Unacknowledged,
        _(
            "The mail server has the mail and did not confirm it in time. Look whether it arrives; if it "
            "does, the server is too slow for sign-in codes."
        ),
    ),
    (
        smtplib.SMTPServerDisconnected,
        _("The mail server broke off. Check the port in EMAIL_URL, and the mail server's own log."),
    ),
)
_OTHER = _("The mail server did not take the mail. Its own log says why; check EMAIL_URL and the sender.")


def send_test_mail(*, brand: Brand, to: str) -> None:
    """Send a test mail in the brand's look from its sender, and store the time. Raise MailNotSent."""
    if not mail.send(brand=brand, to=to, template="test"):
        raise MailNotSent(smtp_backend.Unacknowledged.__name__) from smtp_backend.Unacknowledged()
    Brand.objects.filter(pk=brand.pk).update(mail_tested_at=timezone.now())


def in_words(error: MailNotSent) -> str:
    """Return what happened and what to check, with the error's class but never the server's own text."""
    cause = error.__cause__
    advice = next((words for classes, words in _CAUSES if isinstance(cause, classes)), _OTHER)
    words = gettext("No test mail was sent (%(error)s). %(advice)s")
    return words % {"error": error, "advice": advice}
