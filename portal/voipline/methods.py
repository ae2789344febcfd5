"""The carrier's seven methods as data.

Verbs, body kind, the statement's fields and `google_captcha` come from the carrier's article, sections
"Authentication & API methods" and "Configuring API integration". Each partner has its own paths and names in
the partner portal, so the values here are defaults; `customise` in `mapping.py` replaces them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

PLACEHOLDER = "{account_number}"
_ACCOUNT_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Group = tuple[str, ...]


def is_account_number(text: str) -> bool:
    """Return True if the text may be sent as an account number, even in a path.

    It has at most 64 letters, digits, dots, hyphens and underscores and begins with a letter or digit.
    """
    return _ACCOUNT_NUMBER.fullmatch(text) is not None


@dataclass(frozen=True)
class Field:
    """Rules for one result: an exact amount or a text, and whether it is required.

    An `echo` repeats what we sent; if it comes back, it must be the same. A `movement` of a statement may be
    null, which counts as 0 if the statement is then consistent.
    """

    kind: Literal["amount", "text"]
    required: bool = True
    echo: bool = False
    movement: bool = False


@dataclass(frozen=True)
class Rules:
    """Rules of a method that no configuration can change.

    `essential`: groups of parameters, at least one of each group must be sent. `optional`: parameters that an
    operator may map besides the default ones. `refusals`: the only codes that certainly refuse the call; if
    empty, any 4xx but 408 does.
    """

    essential: tuple[Group, ...]
    fields: Mapping[str, Field]
    optional: frozenset[str] = frozenset()
    refusals: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Method:
    """One method of the carrier.

    `path`: relative to the carrier's URL, from the host's root ("/…") or a full URL on the carrier's host.
    `parameters`: our name → the carrier's. `results`: our name → dotted path under `data`. `body`:
    "multipart" or "form", for PUT and POST. `constants`: sent unchanged.
    """

    key: str
    verb: str
    path: str
    parameters: Mapping[str, str]
    results: Mapping[str, str]
    body: str = "multipart"
    date_format: str = "%Y-%m-%d"
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        return RULES[self.key]

    @property
    def available(self) -> frozenset[str]:
        """Our names of all parameters that this method can send."""
        return frozenset(METHODS[self.key].parameters) | self.rules.optional

    @property
    def writes(self) -> bool:
        return self.verb != "GET"

    def wants(self, name: str) -> bool:
        """Return True if this method sends our parameter `name`, as a parameter or in the path."""
        return name in self.parameters or (name == "account_number" and PLACEHOLDER in self.path)


STATEMENT_NAMES = (
    "opening_balance",
    "payments",
    "adjustments",
    "call_charges",
    "other_charges",
    "total_charges",
    "closing_balance",
)
_BALANCES = ("opening_balance", "closing_balance")
_FUNDS_NAMES = ("customer_balance", "customer_credit_limit")
_PERIOD = ("from_date", "to_date")
_PERSON = ("first_name", "last_name", "company_name", "email", "phone", "password")
_ECHOES = {name: Field("text", required=False, echo=True) for name in ("account_number", "email")}
_CAPTCHA = ("google_captcha",)


_STATEMENT = {name: Field("amount", movement=name not in _BALANCES) for name in STATEMENT_NAMES}
_FUNDS = {name: Field("amount") for name in _FUNDS_NAMES}
# Certain refusals only: after a refusal that was none, the same funds would be moved a second time.
_TRANSFER_REFUSALS = frozenset({400, 401, 403, 404, 409, 422, 429})


def _rules(
    *essential: Group,
    fields: Mapping[str, Field] = MappingProxyType({}),
    optional: Group = (),
    refusals: frozenset[int] = frozenset(),
) -> Rules:
    return Rules(essential, MappingProxyType({**fields, **_ECHOES}), frozenset(optional), refusals)


RULES: Mapping[str, Rules] = MappingProxyType(
    {
        "customer_balance": _rules(("account_number",), fields=_STATEMENT),
        "partner_balance": _rules(fields=_STATEMENT),
        "move_funds": _rules(("account_number",), ("amount",), fields=_FUNDS, refusals=_TRANSFER_REFUSALS),
        "register_customer": _rules(("email",), _CAPTCHA),
        "confirm_email": _rules(("email",), ("code",), _CAPTCHA),
        "login_via_url": _rules(
            ("account_number", "email"),
            _CAPTCHA,
            fields={"url": Field("text")},
            optional=("email", "password"),
        ),
        "reset_password": _rules(("email",), _CAPTCHA),
    }
)


def _method(key: str, verb: str, path: str, *parameters: str) -> Method:
    return Method(
        key, verb, path, {name: name for name in parameters}, {name: name for name in RULES[key].fields}
    )


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.key: method
        for method in (
            _method("customer_balance", "GET", "get-customer-balance", "account_number", *_PERIOD),
            _method("partner_balance", "GET", "get-partner-balance", *_PERIOD),
            _method("move_funds", "PUT", "move-funds", "account_number", "amount", "description"),
            _method("register_customer", "POST", "register-customer", *_PERSON, *_CAPTCHA),
            _method("confirm_email", "POST", "confirm-customer-email", "email", "code", *_CAPTCHA),
            _method("login_via_url", "POST", "login-customer-via-url", "account_number", *_CAPTCHA),
            _method("reset_password", "POST", "reset-customer-password", "email", *_CAPTCHA),
        )
    }
)
