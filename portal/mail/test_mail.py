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
        _("The email server doesn't accept user and password. Check them in EMAIL_URL."),
    ),
    (
        smtplib.SMTPSenderRefused,
        _("The email server refuses the sender. Check that its account may send for this sender's domain."),
    ),
    (
        smtplib.SMTPRecipientsRefused,
        _(
            "The email server refuses the recipient. Check the address, and whether the server forwards "
            "email."
        ),
    ),
    (
        (smtplib.SMTPNotSupportedError, ssl.SSLError),
        _(
            "We couldn't make an encrypted connection to the email server. In EMAIL_URL, check smtp+tls "
            "or smtp+ssl, and the port."
        ),
    ),
    (socket.gaierror, _("We don't know the name of the email server. Check the host in EMAIL_URL.")),
    (
        (ConnectionRefusedError, TimeoutError),
        _("We can't reach the email server. Check host and port in EMAIL_URL, and the firewall between."),
    ),
    (
        smtp_backend.Unacknowledged,
        _(
            "The email server has the email but didn't confirm it in time. Check whether it arrives. If "
            "it does, the server is too slow for sign-in codes."
        ),
    ),
    (
        smtplib.SMTPServerDisconnected,
        _(
            "The email server ended the connection. Check the port in EMAIL_URL, and the email server's "
            "own log."
        ),
    ),
)
_OTHER = _("The email server didn't take the email. Its own log says why. Check EMAIL_URL and the sender.")


def send_test_mail(*, brand: Brand, to: str) -> None:
    """Send a test mail in the brand's look from its sender, and store the time. Raise MailNotSent."""
    if not mail.send(brand=brand, to=to, template="test"):
        raise MailNotSent(smtp_backend.Unacknowledged.__name__) from smtp_backend.Unacknowledged()
    Brand.objects.filter(pk=brand.pk).update(mail_tested_at=timezone.now())


def in_words(error: MailNotSent) -> str:
    """Return what happened and what to check, with the error's class but never the server's own text."""
    cause = error.__cause__
    advice = next((words for classes, words in _CAUSES if isinstance(cause, classes)), _OTHER)
    words = gettext("No test email was sent (%(error)s). %(advice)s")
    return words % {"error": error, "advice": advice}
