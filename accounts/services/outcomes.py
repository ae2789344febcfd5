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
    "captcha_failed": ("captcha", _("The security check was not accepted. Please do it again.")),
    "email_taken": (
        "email",
        _(
            "There is already an account with this e-mail address. Sign in, or reset the password of your "
            "account."
        ),
    ),
    "code_wrong": (
        "code",
        _("This code is not right. Copy it from the newest mail, or follow the link in it."),
    ),
    "customer_unknown": (ALL, _("We found no account with these details. Please ask our support to look.")),
    "already_confirmed": (ALL, _("This e-mail address is confirmed already. You can sign in.")),
}
REFUSED = _("Your details were not accepted. Please check them; if they are right, ask our support.")
OPEN_REFUSED = _(
    "The telephone system refused to open your account. Nothing in it was changed. If you typed its password "
    "here, check it; otherwise please ask our support."
)

ACCOUNT_GONE = _(
    "The telephone system does not find your telephone account. It may have been closed or have got another "
    "number. Trying again does not help: please ask our support to look."
)

UNAVAILABLE = _(
    "We cannot reach the telephone system at the moment. Nothing was changed. Please try again in a few "
    "minutes."
)
BUSY = _("Too many people are asking at the moment. Nothing was changed.")
UNCHECKED = _("We cannot check this form at the moment, so nothing was sent. Please try again in a minute.")
CAPTCHA_DOWN = _(
    "The security check does not work at the moment, so nothing was sent. Please try again in a minute."
)
MAIL_DOWN = _(
    "We cannot send mail at the moment, so you have no code from us. Please try again in a few minutes."
)
MAIL_SLOW = _(
    "Our mail server is slow at the moment, so your code may take a few minutes, and it may not come at all. "
    "Leave this page open; if no mail has come after ten minutes, ask for a new code."
)
PENDING = _(
    "You have sent this already, and we are still working on it. Wait a few seconds, then reload this page."
)
UNKNOWN: dict[str, Promise] = {
    "sign_up": _(
        "We sent your sign-up on but got no clear answer, so it may have worked. Look into your mailbox (and "
        "the spam folder): if a confirmation mail comes within 15 minutes, follow it. If none comes, send "
        "this form again."
    ),
    "confirm": _(
        "We sent your code on but got no clear answer, so it may have worked. Try to sign in; if your "
        "account does not work yet, send this form again in a few minutes."
    ),
    "sign_in": _(
        "Something went wrong on our side, so we cannot tell whether a code was mailed. Look into your "
        "mailbox; if none comes, ask for a code again."
    ),
    "reset": _(
        "We passed your request on but got no clear answer, so it may have worked. Look into your mailbox "
        "(and the spam folder). If no mail comes within 15 minutes, send this form again."
    ),
    "open": _(
        "We asked for your account to be opened but got no clear answer. Nothing in your account was "
        "changed. Please try again in a few minutes; if it goes on, ask our support."
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
