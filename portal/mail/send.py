"""Send mails of a brand: from its sender, in its language and look, with links to its first host."""

import logging
import re
import smtplib
from email.utils import make_msgid, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.encoding import punycode

from portal.core.colours import DARK_SURFACE, LIGHT_SURFACE, readable_on, text_on
from portal.mail import smtp_backend
from portal.models import Brand, Email
from portal.monitoring import metrics
from portal.resilience import bulkhead

logger = logging.getLogger(__name__)

# As in portal.css.
_LIGHT = {
    "page": LIGHT_SURFACE,
    "card": "#ffffff",
    "text": "#16202b",
    "quiet": "#556070",
    "line": "#e1e5ea",
}
_DARK = {
    "page": "#0f141a",
    "card": DARK_SURFACE,
    "text": "#e8ecf1",
    "quiet": "#a8b2bf",
    "line": "#28313c",
}
# The mail's tags have the light colours. Only a style sheet can query the colour scheme, and it needs
# !important to override them.
_DARK_STYLE = (
    ":root{color-scheme:light dark;supported-color-schemes:light dark}"
    "@media (prefers-color-scheme:dark){"
    ".page{background-color:%(page)s!important;color:%(text)s!important}"
    ".card{background-color:%(card)s!important;border-color:%(line)s!important;color:%(text)s!important}"
    ".line{border-color:%(line)s!important}"
    ".text{color:%(text)s!important}"
    ".quiet{color:%(quiet)s!important}"
    ".link{color:%(link)s!important}"
    ".bar{background-color:%(accent)s!important;color:%(on_accent)s!important}"
    ".button{background-color:%(accent)s!important;border-color:%(link)s!important;"
    "color:%(on_accent)s!important}"
    ".code{background-color:%(page)s!important;border-color:%(line)s!important;color:%(text)s!important}}"
)
_SECRETS = re.compile(r"https?://\S+|\d{4} ?\d{4}")  # A server may quote the mail that it refuses.
# Invisible characters after the line that inboxes show as a preview. Without them the preview would continue
# with the mail's first words and could show the code on a locked screen.
_PREVIEW_END = "\u034f\u00a0" * 120


# Mails to staff and operators, who have one sender for all brands if STAFF_EMAIL_FROM names it.
STAFF_TEMPLATES = frozenset(
    (
        "authenticator_reset",
        "carrier_down",
        "limits_raised",
        "partner_balance",
        "password_set",
        "transfer_update",
        "unknown_transfer",
    )
)


class MailNotSent(Exception):
    """The mail server did not accept the mail, or the address cannot be encoded. Nothing was delivered."""


def link(brand: Brand, path: str) -> str:
    """Return an absolute URL on the brand's first host, never on the host that a request named."""
    return _absolute(brand.main_host, path)


def admin_link(path: str) -> str:
    """Return an absolute URL on the admin's first host."""
    return _absolute(settings.ADMIN_HOSTS[0], path)


def _absolute(host: str, path: str) -> str:
    # Plain http is for demonstrations on this computer only, and those listen on BIND's port.
    port = "" if settings.SECURE else ":" + settings.BIND.rpartition(":")[2]
    return f"{settings.SCHEME}://{host}{port}{path}"


def colours(accent: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a mail's colours, light and dark. Text on the accent and accent as text meet WCAG AA."""
    accent = accent.lower()
    readable = readable_on(accent, DARK_SURFACE)
    return (
        _LIGHT
        | {"accent": accent, "on_accent": text_on(accent)}
        | {"link": readable_on(accent, LIGHT_SURFACE)},
        _DARK | {"accent": readable, "on_accent": text_on(readable), "link": readable},
    )


def send(
    *,
    brand: Brand,
    to: str,
    template: str,
    language: str = "",
    person: int | None = None,
    **context: object,
) -> bool:
    """Send the mail in `templates/mail/<template>/`: subject.txt, body.txt, body.html. Raise MailNotSent.

    Return False if the mail server has the mail but did not confirm it in time: it may arrive late, or never.
    An `Email` row tells what became of it. A mail that can wait belongs into `portal.mail.outbox`.

    `language` is the reader's if known, else the brand's. `person` is the reader's row, if there is one. The
    two bodies extend `mail/base.txt` and `mail/base.html`, which begin with the block `title`, or else the
    subject, and close with the brand. Wait at most ten seconds for each reply of the mail server
    (EMAIL_TIMEOUT), and 15 in total (`smtp_backend.TOTAL`).
    """
    row = Email.objects.create(brand=brand, to=to, template=template, language=language, person_id=person)
    return deliver(row, context)


def deliver(row: Email, context: dict[str, object]) -> bool:
    """Send the mail of this row now, and store the result. See `send`."""
    brand = row.brand
    try:
        message = _message(brand, row.to, row.template, row.language or brand.language, context)
        with bulkhead.MAIL.slot(brand):
            message.send()
    except smtp_backend.Unacknowledged as error:
        logger.error("mail not acknowledged", extra={"brand": brand.slug})
        _store(row, taken_at=timezone.now(), refusal=describe_refusal(error))
        return False
    # BulkheadFull: too many wait for the mail server. UnicodeError: a domain that IDNA cannot encode.
    except (bulkhead.BulkheadFull, OSError, smtplib.SMTPException, UnicodeError) as error:
        logger.error("mail not sent", extra={"brand": brand.slug, "error": type(error).__name__})
        metrics.MAILS_FAILED.labels(brand.slug).inc()
        _store(row, refusal=describe_refusal(error))
        raise MailNotSent(type(error).__name__) from error
    _store(row, taken_at=timezone.now(), refusal="")
    return True


def _store(row: Email, **values: object) -> None:
    Email.objects.filter(pk=row.pk).update(**values)


def describe_refusal(error: Exception) -> str:
    """Return the mail server's words, or the error's class, in 200 characters without codes and links."""
    reply: tuple[int, bytes] | None = None
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        reply = next(iter(error.recipients.values()), None)
    elif isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    words = f"{reply[0]} {reply[1].decode(errors='replace')}" if reply else type(error).__name__
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return _SECRETS.sub("…", " ".join(printable.split()))[:200]


def _message(
    brand: Brand, to: str, template: str, language: str, context: dict[str, object]
) -> EmailMultiAlternatives:
    with translation.override(language):
        values = {"brand": brand, "home": _home(brand), **context}
        values["subject"] = subject = render_to_string(f"mail/{template}/subject.txt", values).strip()
        body = render_to_string(f"mail/{template}/body.txt", values)
        html = render_to_string(f"mail/{template}/body.html", {**values, **_look(brand)})
    sender, reply_to = brand.from_email, [brand.support_email]
    if template in STAFF_TEMPLATES and settings.STAFF_EMAIL_FROM:
        sender, reply_to = settings.STAFF_EMAIL_FROM, []
    message = EmailMultiAlternatives(subject, body, sender, [to], reply_to=reply_to, headers=_headers(sender))
    message.attach_alternative(html, "text/html")
    return message


def _home(brand: Brand) -> str:
    """Return the brand's first page; the admin if it has no host yet, as then only staff get mail."""
    try:
        return link(brand, "/")
    except IndexError:
        return admin_link("/admin/")


def _look(brand: Brand) -> dict[str, object]:
    light, dark = colours(brand.accent)
    return {"colour": light, "dark_style": _DARK_STYLE % dark, "preview_end": _PREVIEW_END}


def _headers(sender: str) -> dict[str, str]:
    # Django's default would reveal this computer's name. Auto-Submitted prevents out-of-office replies
    # (RFC 3834).
    domain = punycode(parseaddr(sender)[1].rpartition("@")[2])
    return {"Message-ID": make_msgid(domain=domain), "Auto-Submitted": "auto-generated"}
