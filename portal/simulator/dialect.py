"""The seven methods as data: names from the contract, and dialects that rename any of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from portal.simulator import schema

PREFIX = "/api/integration/v2/"
STATEMENT = (
    "opening_balance",
    "payments",
    "adjustments",
    "call_charges",
    "other_charges",
    "total_charges",
    "closing_balance",
)
PERSON = ("first_name", "last_name", "company_name", "email", "phone", "password")
REASONS = {
    "email_taken",
    "captcha_failed",
    "customer_unknown",
    "code_wrong",
    "already_confirmed",
    "not_authorised",
}
MANNERS = {"carrier", "laravel", "whmcs", "php"}
PLACEHOLDER = "{account_number}"


@dataclass(frozen=True)
class Method:
    key: str
    verb: str
    path: str
    # ours → theirs
    parameters: Mapping[str, str]
    results: Mapping[str, str]
    body: str = "multipart"
    date_format: str = "%Y-%m-%d"
    constants: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        full = self.path if self.path.startswith("/") else PREFIX + self.path
        return re.compile(re.escape(full).replace(re.escape(PLACEHOLDER), "([^/]+)"))

    @property
    def number_in_path(self) -> bool:
        return PLACEHOLDER in self.path

    def sent_names(self) -> dict[str, str]:
        """Return the parameters that are sent, ours → theirs, without the one in the path."""
        in_path = {"account_number"} if self.number_in_path else set()
        return {ours: name for ours, name in self.parameters.items() if name and ours not in in_path}

    def theirs(self, ours: str) -> str:
        return self.parameters.get(ours) or ours

    def shape_results(self, results: Mapping[str, object]) -> dict[str, Any]:
        """Return the results under their names, each at its dotted path."""
        data: dict[str, Any] = {}
        for ours, value in results.items():
            *parents, name = self.results[ours].split(".")
            table = data
            for parent in parents:
                table = table.setdefault(parent, {})
            table[name] = value
        return data


def method(
    key: str, verb: str, path: str, parameters: tuple[str, ...], results: tuple[str, ...] = ()
) -> Method:
    names = (*parameters, "google_captcha") if verb == "POST" else parameters
    return Method(key, verb, path, {name: name for name in names}, {name: name for name in results})


PERIOD = ("from_date", "to_date")
METHODS = (
    method("customer_balance", "GET", "get-customer-balance", ("account_number", *PERIOD), STATEMENT),
    method("partner_balance", "GET", "get-partner-balance", PERIOD, STATEMENT),
    method(
        "move_funds",
        "PUT",
        "move-funds",
        ("account_number", "amount", "description"),
        ("customer_balance", "customer_credit_limit"),
    ),
    method("register_customer", "POST", "register-customer", PERSON, ("account_number",)),
    method("confirm_email", "POST", "confirm-customer-email", ("email", "code"), ("account_number",)),
    # Email and password are required only if the partner's account is set up so.
    method(
        "login_via_url", "POST", "login-customer-via-url", ("account_number", "email", "password"), ("url",)
    ),
    method("reset_password", "POST", "reset-customer-password", ("email",)),
)


@dataclass(frozen=True)
class Dialect:
    methods: Mapping[str, Method]
    codes: Mapping[str, int] = field(default_factory=dict)
    manners: str = "carrier"

    def find(self, path: str) -> tuple[Method, str | None] | None:
        """Return the method of a path, with the account number if it is in the path, or None."""
        for candidate in self.methods.values():
            if match := candidate.pattern.fullmatch(path):
                return candidate, match[1] if candidate.number_in_path else None
        return None


DEFAULT = Dialect({entry.key: entry for entry in METHODS})
MEMBERS: dict[str, schema.Kinds] = {
    "path": str,
    "body": str,
    "date_format": str,
    "parameters": dict,
    "constants": dict,
    "results": dict,
}


def read(value: object) -> Dialect:
    given = schema.members(value, "dialect", {"methods": dict, "codes": dict, "manners": str})
    manners = schema.choice(given.get("manners", "carrier"), "manners", MANNERS)
    unknown = set(given.get("methods", {})) - set(DEFAULT.methods)
    if unknown:
        raise schema.InvalidInput(f"methods: unknown method {min(unknown)!r}")
    renamed = {
        key: read_method(DEFAULT.methods[key], table) for key, table in given.get("methods", {}).items()
    }
    codes = schema.members(given.get("codes", {}), "codes", dict.fromkeys(REASONS, int))
    return Dialect({**DEFAULT.methods, **renamed}, codes, manners)


def read_method(default: Method, value: object) -> Method:
    where = f"methods.{default.key}"
    given = schema.members(value, where, MEMBERS)
    schema.choice(given.get("body", "multipart"), f"{where}.body", ("multipart", "form"))
    for table in ("parameters", "results"):
        known = getattr(default, table)
        names = schema.members(given.get(table, {}), f"{where}.{table}", dict.fromkeys(known, str))
        given[table] = {**known, **names}
    given["constants"] = schema.text_map(given.get("constants", {}), f"{where}.constants")
    changed = replace(default, **given)
    validate(changed, where)
    return changed


def validate(changed: Method, where: str) -> None:
    names = [*changed.sent_names().values(), *changed.constants]
    if len(set(names)) != len(names):
        raise schema.InvalidInput(f"{where}: two parameters have the same name")
    if not all(changed.results.values()):
        raise schema.InvalidInput(f"{where}.results: an empty path")
    if changed.verb == "POST" and not changed.parameters["google_captcha"]:
        raise schema.InvalidInput(f"{where}.parameters: a POST carries google_captcha")
