"""Whether a brand's connection to the carrier works, in words for an operator. It only reads."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from portal import upstream
from portal.crypto import SecretUnreadable
from portal.models import Brand
from portal.voipline import (
    BadAnswer,
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

_PORTAL_TAB = "the partner portal's Integrations/API tab"
_OWN_ADDRESS = "this server's public IP address is shown by `curl https://ifconfig.me`, run on the server"


@dataclass(frozen=True)
class Finding:
    """What one call showed: fine or not, and if not, what to do."""

    method: str
    ok: bool
    text: str


def diagnose(brand: Brand, account_number: str = "") -> list[Finding]:
    """Ask for the partner's balance of this month; with an account number, for that customer's too."""
    wanted = {"partner_balance": ""} | ({"customer_balance": account_number} if account_number else {})
    if trouble := _unusable(brand):
        return [Finding(method, False, trouble) for method in wanted]
    return [_asked(brand, method, number) for method, number in wanted.items()]


def _unusable(brand: Brand) -> str:
    """Why no call can be made at all, or ""."""
    try:
        upstream.carrier_of(brand)
    except SecretUnreadable as error:
        return f"The API key cannot be read. {error}"
    except MappingError as error:
        return f"The connection cannot be used as configured: {error}."
    return ""


def _asked(brand: Brand, method: str, account_number: str) -> Finding:
    if account_number and not is_account_number(account_number):
        return Finding(method, False, f"“{account_number}” cannot be an account number; nothing was asked.")
    today = datetime.now(brand.zone).date()
    values = {"account_number": account_number} if account_number else {}
    try:
        answer = upstream.call(
            brand=brand, method=method, **values, from_date=today.replace(day=1), to_date=today
        )
    except UpstreamError as error:
        return Finding(method, False, _TEXTS[type(error)](brand, error))
    return Finding(method, True, _fine(brand, Statement.from_answer(answer)))


def _fine(brand: Brand, statement: Statement) -> str:
    text = f"The closing balance of this month is {statement.closing_balance:f} {brand.currency}."
    if statement.sums_hold:
        return text
    return f"{text} Its sums do not hold: are the names of the results assigned to the right figures?"


def _reason(error: UpstreamError) -> str:
    """What the client says, without the method's name before it and the code behind it."""
    return re.sub(r" \(code -?\d+\)\Z", "", error.message.removeprefix(f"{error.method}: "))


def _path(brand: Brand, method: str) -> str:
    return f"the path “{brand.method(method).path}”"


def _unreachable(brand: Brand, error: UpstreamError) -> str:
    host = urlsplit(brand.carrier_url).netloc
    return f"{host} cannot be reached: {_reason(error)}. {_advice(error.message)}"


_ADVICE = (
    ("resolved", "Check how the host is written in the API address, and this server's DNS."),
    ("refused", "Nothing listens there: check host and port of the API address."),
    ("certificate", "Check how the host is written; if it is right, the carrier must renew its certificate."),
    ("TLS", "Is that an https port, and may this server open connections to it?"),
)


def _advice(message: str) -> str:
    for word, advice in _ADVICE:
        if word in message:
            return advice
    return "Check the API address, and that no firewall keeps this server from opening connections to it."


def _no_answer(_brand: Brand, error: UpstreamError) -> str:
    return f"The carrier took the request and did not answer: {_reason(error)}. Try again in a few minutes."


def _not_authorised(_brand: Brand, error: UpstreamError) -> str:
    return (
        f"Not authorised (code {error.status}). Either the API key is wrong, or this server's public IP "
        f"address is not listed; the carrier does not say which. Compare both in {_PORTAL_TAB}; "
        f"{_OWN_ADDRESS}."
    )


def _rate_limited(_brand: Brand, error: UpstreamError) -> str:
    seconds = error.retry_after if isinstance(error, RateLimited) else None
    wait = f"{seconds} seconds" if seconds is not None else "a few minutes"
    return f"Too many requests: the carrier asks us to wait. Try again in {wait}."


def _server_error(_brand: Brand, error: UpstreamError) -> str:
    return f"The carrier's server failed (code {error.status}). Try again later, or ask the carrier."


def _rejected(brand: Brand, error: UpstreamError) -> str:
    assert isinstance(error, Rejected)
    if error.meaning == "customer_unknown":
        return f"The carrier knows no customer with this account number.{_said(error)}"
    if error.status == 404:
        or_number = ", or the account number" if error.method == "customer_balance" else ""
        return (
            f"Not found (code 404): {_path(brand, error.method)}{or_number} is unknown to the carrier."
            f"{_said(error)} Compare the path with {_PORTAL_TAB}."
        )
    return (
        f"The carrier refused the request (code {error.status}).{_said(error)} Compare the names of the "
        f"parameters and the date format with {_PORTAL_TAB}; what codes mean belongs into the response codes."
    )


def _said(error: Rejected) -> str:
    texts = [f"{name}: {' '.join(told)}" for name, told in error.fields.items()]
    said = "; ".join(filter(None, [error.user_message, *texts]))
    return f" It says: “{said}”." if said else ""


def _bad_answer(brand: Brand, error: UpstreamError) -> str:
    if error.status and 300 <= error.status <= 399:
        path = _path(brand, error.method)
        return f"The carrier redirects {path} (code {error.status}). Write the final address."
    if "listed" in error.message:
        return (
            f"The carrier answered code {error.status}, which nobody has explained. Look it up in the list "
            f"of {_PORTAL_TAB}, and add it to the response codes."
        )
    return (
        f"The answer to {_path(brand, error.method)} has not the expected shape: {_reason(error)}. Compare "
        f"the path and the names of the results with {_PORTAL_TAB}."
    )


_TEXTS: dict[type[UpstreamError], Callable[[Brand, UpstreamError], str]] = {
    Unreachable: _unreachable,
    NoAnswer: _no_answer,
    NotAuthorised: _not_authorised,
    RateLimited: _rate_limited,
    Rejected: _rejected,
    ServerError: _server_error,
    BadAnswer: _bad_answer,
}
