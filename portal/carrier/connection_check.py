"""Check a brand's connection to the carrier with read-only calls, and explain the result to an operator."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.carrier import calls as carrier_calls
from portal.i18n.translation import translate
from portal.models import Brand
from portal.resilience import circuit_breaker
from portal.security.crypto import SecretUnreadable
from portal.voipline import (
    BadAnswer,
    BreakerOpen,
    Crowded,
    MappingError,
    NoAnswer,
    NotAuthorised,
    RateLimited,
    Rejected,
    ServerError,
    Statement,
    Unreachable,
    UpstreamError,
    is_account_number,
)
from portal.web import retry


@dataclass(frozen=True)
class Finding:
    """The result of one call: OK or not, with a text that says what to do."""

    method: str
    ok: bool
    text: str


def diagnose(brand: Brand, account_number: str = "") -> list[Finding]:
    """Read the partner's balance of this month and, with an account number, that customer's too."""
    account_numbers = {"partner_balance": ""}
    if account_number:
        account_numbers["customer_balance"] = account_number
    if problem := _configuration_problem(brand):
        return [Finding(method, False, problem) for method in account_numbers]
    return [_check_method(brand, method, number) for method, number in account_numbers.items()]


def _configuration_problem(brand: Brand) -> str:
    """Return why the configuration allows no call at all, or ""."""
    try:
        carrier_calls.build_carrier(brand)
    except SecretUnreadable as error:
        return _("We can't read the API key. %(why)s") % {"why": error}
    except MappingError as error:
        why = "; ".join(f"{key}: {translate(words)}" for key, words in error.problems)
        return _("We can't use the connection as configured: %(why)s.") % {"why": why}
    return ""


def _check_method(brand: Brand, method: str, account_number: str) -> Finding:
    if account_number and not is_account_number(account_number):
        words = _("“%(number)s” can't be an account number, so we asked nothing.")
        return Finding(method, False, words % {"number": account_number})
    today = datetime.now(brand.zone).date()
    values = {"account_number": account_number} if account_number else {}
    circuit_breaker.get_breaker(brand).allow_probe()  # The operator wants a result now.
    try:
        answer = carrier_calls.call(
            brand=brand, method=method, **values, from_date=today.replace(day=1), to_date=today
        )
    except UpstreamError as error:
        return Finding(method, False, _describe_error(brand, error))
    return Finding(method, True, _describe_success(brand, Statement.from_answer(answer)))


def _describe_error(brand: Brand, error: UpstreamError) -> str:
    """Return what is wrong, and that the answer was not JSON unless the status explains that."""
    looks_blocked = error.status is not None and (200 <= error.status <= 299 or error.status == 403)
    if error.not_json and looks_blocked:
        return _web_page(brand, error)
    text = _TEXTS[type(error)](brand, error)
    if error.not_json and error.status and error.status >= 400:
        return f"{text} " + _(
            "What came was a web page or a text and no JSON, so it may not be from the API itself."
        )
    return text


def _describe_success(brand: Brand, statement: Statement) -> str:
    balance = f"{statement.closing_balance:f} {brand.currency}"
    text = _("The closing balance of this month is %(balance)s.") % {"balance": balance}
    if statement.is_consistent:
        return text
    doubt = _("The amounts don't add up. Check that each result name is mapped to the right amount.")
    return f"{text} {doubt}"


def _reason(error: UpstreamError) -> str:
    """Return the client's message without the method's name at its start and the code at its end."""
    return re.sub(r" \(code -?\d+\)\Z", "", error.message.removeprefix(f"{error.method}: "))


def _path(brand: Brand, method: str) -> str:
    return brand.method(method).path


def _unreachable(brand: Brand, error: UpstreamError) -> str:
    host = urlsplit(brand.carrier_url).netloc
    words = _("We can't reach %(host)s: %(reason)s. %(advice)s")
    return words % {"host": host, "reason": _reason(error), "advice": _advice(error.message)}


_ADVICE = (
    (
        "private",
        gettext_lazy(
            "Nothing was sent. If the carrier is meant to be there, add its host to CARRIER_PRIVATE_HOSTS in "
            "the portal's environment, and restart the portal."
        ),
    ),
    ("resolved", gettext_lazy("Check how the host is written in the API address, and this server's DNS.")),
    ("refused", gettext_lazy("Nothing listens there: check host and port of the API address.")),
    (
        "certificate",
        gettext_lazy(
            "Check the spelling of the host. If it's right, the carrier must renew its certificate."
        ),
    ),
    ("TLS", gettext_lazy("Is that an https port, and may this server open connections to it?")),
)


def _advice(message: str) -> str:
    for word, advice in _ADVICE:
        if word in message:
            return str(advice)
    return _("Check the API address, and that no firewall keeps this server from opening connections to it.")


def _not_tried(_brand: Brand, error: UpstreamError) -> str:
    words = _("Nothing was asked: %(reason)s. Try again in half a minute.")
    return words % {"reason": _reason(error)}


def _no_answer(_brand: Brand, error: UpstreamError) -> str:
    words = _("The carrier took the request and did not answer: %(reason)s. Try again in a few minutes.")
    return words % {"reason": _reason(error)}


def _not_authorised(_brand: Brand, error: UpstreamError) -> str:
    return _(
        "Not authorised (code %(code)s). Either the API key is wrong, or this server's public IP address "
        "isn't listed. The carrier doesn't say which. Compare both in the partner portal's "
        "Integrations/API tab. To see this server's public IP address, run this command on it: curl -4 "
        "https://ifconfig.me"
    ) % {"code": error.status}


def _web_page(brand: Brand, error: UpstreamError) -> str:
    words = _(
        "Something in front of the API answered, not the API itself. It sent a web page or text instead "
        "of JSON (code %(code)s). It may be a web server, a firewall or a bot check. The API key may be "
        "right. Compare the API address and the path “%(path)s” with the partner portal's "
        "Integrations/API tab. If both are right, ask the carrier to let this server's requests through."
    )
    return words % {"path": _path(brand, error.method), "code": error.status}


def _rate_limited(_brand: Brand, error: UpstreamError) -> str:
    seconds = error.retry_after if isinstance(error, RateLimited) else None
    if seconds is None:
        return _("Too many requests: the carrier asks us to wait. Try again in a few minutes.")
    if seconds > retry.MINUTE:
        return _("Too many requests: the carrier asks us to wait.") + " " + retry.try_again(seconds)
    words = ngettext(
        "Too many requests: the carrier asks us to wait. Try again in %(count)d second.",
        "Too many requests: the carrier asks us to wait. Try again in %(count)d seconds.",
        seconds,
    )
    return words % {"count": seconds}


def _server_error(_brand: Brand, error: UpstreamError) -> str:
    words = _("The carrier's server failed (code %(code)s). Try again later, or ask the carrier.")
    return words % {"code": error.status}


def _rejected(brand: Brand, error: UpstreamError) -> str:
    assert isinstance(error, Rejected)
    if error.meaning == "customer_unknown":
        return _("The carrier knows no customer with this account number.") + _quote_message(error)
    if error.status == 404:
        return _not_found(brand, error) + _quote_message(error)
    if error.status and 200 <= error.status <= 299:
        words = _(
            "The carrier says no in words alone (code %(code)s). Compare the names of the parameters and the "
            "date format with the partner portal's Integrations/API tab."
        )
        return words % {"code": error.status} + _quote_message(error)
    words = _(
        "The carrier refused the request (code %(code)s). Compare the parameter names and the date format"
        " with the partner portal's Integrations/API tab. Explain what codes mean under the response "
        "codes."
    )
    return words % {"code": error.status} + _quote_message(error)


def _not_found(brand: Brand, error: UpstreamError) -> str:
    words = (
        _(
            "Not found (code 404): the path “%(path)s”, or the account number, is unknown to the carrier. "
            "Compare the path with the partner portal's Integrations/API tab."
        )
        if error.method == "customer_balance"
        else _(
            "Not found (code 404): the path “%(path)s” is unknown to the carrier. Compare it with the "
            "partner portal's Integrations/API tab."
        )
    )
    return words % {"path": _path(brand, error.method)}


def _quote_message(error: Rejected) -> str:
    field_texts = [f"{name}: {' '.join(texts)}" for name, texts in error.fields.items()]
    said = "; ".join(filter(None, [error.user_message, *field_texts]))
    return " " + _("It says: “%(said)s”.") % {"said": said} if said else ""


def _bad_answer(brand: Brand, error: UpstreamError) -> str:
    if error.status and 300 <= error.status <= 399:
        words = _("The carrier redirects the path “%(path)s” (code %(code)s). Write the final address.")
        return words % {"path": _path(brand, error.method), "code": error.status}
    success = re.fullmatch(r"\+?2\d\d(\.0+)?", error.listed_as)  # An oddly written success is never listed.
    if error.listed_as and not success and "listed" in error.message:
        words = _(
            "The carrier answered with code %(code)s, which no one has explained. Look it up in the list "
            "of the partner portal's Integrations/API tab. Then add it to the response codes."
        )
        return words % {"code": error.listed_as}
    words = _(
        "We couldn't read the carrier's answer from “%(path)s”: %(reason)s. Check the path and result "
        "names against the partner portal's Integrations/API tab."
    )
    return words % {"path": _path(brand, error.method), "reason": _reason(error)}


_TEXTS: dict[type[UpstreamError], Callable[[Brand, UpstreamError], str]] = {
    Unreachable: _unreachable,
    Crowded: _not_tried,
    BreakerOpen: _not_tried,
    NoAnswer: _no_answer,
    NotAuthorised: _not_authorised,
    RateLimited: _rate_limited,
    Rejected: _rejected,
    ServerError: _server_error,
    BadAnswer: _bad_answer,
}
