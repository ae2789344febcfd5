"""Outcomes of actions at the carrier, in words for a customer."""

import re
from dataclasses import asdict, dataclass, field, fields
from http import HTTPStatus
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.voipline import BreakerOpen, Crowded, RateLimited, Rejected, UpstreamError
from portal.web import retry

State = Literal["done", "refused", "unknown", "unavailable", "pending"]

ALL = "__all__"  # The form as a whole, as Django names it.

# Meaning of a response code → (form field, text).
MEANINGS: dict[str, tuple[str, Promise]] = {
    "captcha_failed": ("captcha", _("The security check didn't work. Try it again.")),
    "email_taken": (
        "email",
        _(
            "There's already an account with this email address. Sign in instead, or reset your phone "
            "account password."
        ),
    ),
    "code_wrong": (
        "code",
        _("That code isn't right. Copy it from the latest email, or open the link in that email."),
    ),
    "customer_unknown": (ALL, _("We can't find an account with these details. Contact us and we'll check.")),
    "already_confirmed": (ALL, _("This email address is already confirmed. You can sign in.")),
}
REFUSED = _("We couldn't use these details. Check them and try again. If they're right, contact us.")
OPEN_REFUSED = _(
    "We couldn't open your phone account. Nothing has changed. If you entered a password, check it and "
    "try again. Otherwise, contact us."
)

ACCOUNT_GONE = _(
    "We can't find your phone account. It may have been closed or given a new number. Contact us and "
    "we'll check."
)

UNAVAILABLE = _("We can't reach the phone system right now. Nothing has changed. Try again in a few minutes.")
BUSY = _("We're very busy right now. Nothing has changed.")
UNCHECKED = _("We can't process this form right now, so we haven't sent it. Try again in a minute.")
CAPTCHA_DOWN = _(
    "The security check isn't working right now, so we haven't sent your form. Try again in a minute."
)
MAIL_DOWN = _("We can't send email right now, so we haven't sent you a code. Try again in a few minutes.")
MAIL_SLOW = _(
    "Email is slow right now, so your code may take a few minutes. Keep this page open. If nothing "
    "arrives within 10 minutes, ask for a new code."
)
PENDING = _("We're still working on this. Wait a few seconds, then reload the page.")
UNKNOWN: dict[str, Promise] = {
    "sign_up": _(
        "We don't know yet whether your account was created. Check your email, including spam. If a "
        "confirmation arrives, open its link. If nothing arrives within 15 minutes, send this form again."
    ),
    "confirm": _(
        "We don't know yet whether your address was confirmed. Try signing in. If your account doesn't "
        "work, send this form again in a few minutes."
    ),
    "sign_in": _(
        "Something went wrong on our side, and we don't know whether we sent your code. Check your email."
        " If nothing arrives, ask for a new code."
    ),
    "reset": _(
        "We don't know yet whether your request went through. Check your email, including spam. If "
        "nothing arrives within 15 minutes, send this form again."
    ),
    "open": _(
        "We couldn't open your phone account. Nothing has changed. Try again in a few minutes. If it "
        "keeps happening, contact us."
    ),
}


_CONFIRMED = re.compile(r"\balready (?:been )?(?:confirmed|verified|activated)\b", re.IGNORECASE)
# A bare "Not Found" tells a customer nothing.
_PHRASES = {status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class Outcome:
    """The outcome of one action.

    `errors` maps a form's field, or `__all__`, to texts. `retry_after` is in seconds. `sign_in_code` is the
    primary key of the code that was mailed, if any.
    """

    state: State
    errors: dict[str, list[str]] = field(default_factory=dict)
    meaning: str = ""
    retry_after: int | None = None
    sign_in_code: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values to store; the texts are in the visitor's language."""
        return asdict(self)

    @property
    def done(self) -> bool:
        """True if the action succeeded."""
        return self.state == "done"

    @property
    def may_have_happened(self) -> bool:
        """True if the carrier did it, or may have."""
        return self.state in ("done", "unknown")


DONE = Outcome("done")


def from_json(data: dict[str, Any]) -> Outcome:
    """Return the outcome that `as_json` stored; other keys are ignored."""
    return Outcome(**{each.name: data[each.name] for each in fields(Outcome)})


def pending() -> Outcome:
    """Return the outcome of a form that is still being processed by an earlier request."""
    return Outcome("pending", {ALL: [str(PENDING)]})


def unknown(action: str) -> Outcome:
    """Return the outcome of an action that was sent but got no clear answer."""
    return Outcome("unknown", {ALL: [str(UNKNOWN[action])]})


def unavailable(text: Promise | str, *, retry_after: int | None = None) -> Outcome:
    """Return the outcome of an action that was not sent, through no fault of the visitor."""
    return Outcome("unavailable", {ALL: [str(text)]}, retry_after=retry_after)


def mail_down() -> Outcome:
    """Return the outcome of a code that the mail server refused."""
    return unavailable(MAIL_DOWN, retry_after=120)


def code_mailed(code: int, sure: bool) -> Outcome:
    """Return the outcome of a mailed code; unless `sure`, with the meaning `mail_slow`."""
    return Outcome("done", meaning="" if sure else "mail_slow", sign_in_code=code)


def refused(meaning: str) -> Outcome:
    """Return a refusal with the text of one of MEANINGS at its field."""
    place, text = MEANINGS[meaning]
    return Outcome("refused", {place: [str(text)]}, meaning)


def is_account_gone(error: UpstreamError) -> bool:
    """Return True if the carrier knows no such customer: closed, renumbered, or mistyped by us.

    Also for a response code that is not mapped, if it is a 404 with the carrier's own words.
    """
    if not isinstance(error, Rejected):
        return False
    said = error.user_message not in ("", *_PHRASES)
    return error.meaning == "customer_unknown" or (
        not error.meaning and error.status == HTTPStatus.NOT_FOUND and said
    )


def outcome_from_error(error: UpstreamError, action: str) -> Outcome:
    """Return the outcome of an action that ended with this error."""
    if error.may_have_happened:
        return unknown(action)
    if action == "open" and is_account_gone(error):
        # With the carrier's own words, if their code is not mapped.
        said = [error.user_message] if isinstance(error, Rejected) and not error.meaning else []
        return Outcome("refused", {ALL: [str(ACCOUNT_GONE), *said]}, "customer_unknown")
    if action == "confirm" and _is_confirmed_already(error):
        return refused("already_confirmed")
    if isinstance(error, Rejected):
        return _refused(error, OPEN_REFUSED if action == "open" else REFUSED)
    if isinstance(error, RateLimited | Crowded):
        text = f"{BUSY} {retry.try_again(error.retry_after)}"
        return unavailable(text, retry_after=error.retry_after or 60)
    if isinstance(error, BreakerOpen):
        return unavailable(UNAVAILABLE, retry_after=error.retry_after)
    return unavailable(UNAVAILABLE)


def _is_confirmed_already(error: UpstreamError) -> bool:
    """True for a response code that is not mapped, if the carrier's words are clear."""
    if not isinstance(error, Rejected) or error.meaning:
        return False
    return _CONFIRMED.search(error.user_message) is not None


def _refused(error: Rejected, otherwise: Promise) -> Outcome:
    if error.meaning in MEANINGS:
        return refused(error.meaning)
    if "google_captcha" in error.fields or "captcha" in error.user_message.casefold():
        return refused("captcha_failed")
    said = "" if error.user_message in _PHRASES else error.user_message
    general = [said] if said else [] if error.fields else [str(otherwise)]
    return Outcome("refused", {**error.fields, **({ALL: general} if general else {})})
