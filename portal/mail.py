"""Mails of a brand: from its sender, in its language, with links to its first host."""

import logging
import smtplib

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from portal.models import Brand

logger = logging.getLogger(__name__)


class MailNotSent(Exception):
    """The mail server did not take the mail; nothing was delivered."""


def link(brand: Brand, path: str) -> str:
    """An absolute address on the brand's first host, never on the host a request named."""
    # Plain http is for demonstrations on this machine only, and those listen on BIND's port.
    port = "" if settings.SECURE else ":" + settings.BIND.rpartition(":")[2]
    return f"{settings.SCHEME}://{brand.main_host}{port}{path}"


def send(*, brand: Brand, to: str, template: str, **context: object) -> None:
    """Send `templates/<template>_subject.txt` and `<template>.txt`. Raises MailNotSent.

    Waits at most ten seconds for each answer of the mail server (EMAIL_TIMEOUT).
    """
    with translation.override(brand.language):
        values = {"brand": brand, "home": link(brand, "/"), **context}
        subject = render_to_string(f"{template}_subject.txt", values).strip()
        body = render_to_string(f"{template}.txt", values)
    message = EmailMessage(subject, body, brand.from_email, [to], reply_to=[brand.support_email])
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.error("mail not sent", extra={"brand": brand.slug, "error": type(error).__name__})
        raise MailNotSent(type(error).__name__) from error
