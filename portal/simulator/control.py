"""The control side: start again, seed, rename, provoke, look. No part of the carrier's API."""

from collections.abc import Callable
from typing import Any

from portal.simulator import authenticator, dialect, faults, recaptcha, schema, seed
from portal.simulator.json_exact import plain
from portal.simulator.wire import Answer, Request, json_answer
from portal.simulator.world import Account, Customer, Mail, World

PREFIX = "/_control/"
Told = dict[str, Any]


def answer(world: World, request: Request) -> Answer:
    name = request.path.removeprefix(PREFIX)
    try:
        if request.verb == "GET" and name in LOOK:
            with world.lock:
                return json_answer(200, {"ok": True, name: LOOK[name](world, request.parameters())})
        if request.verb == "POST" and name in DO:
            value = schema.from_json(request.body or b"{}", "body")
            with world.lock:
                return json_answer(200, {"ok": True, **DO[name](world, value)})
    except schema.Mistake as mistake:
        return json_answer(400, {"error": str(mistake)})
    known = name in LOOK or name in DO
    return json_answer(405 if known else 404, {"error": f"no {request.verb} {request.path}"})


def reset(world: World, value: object) -> Told:
    given = schema.members(value, "reset", {"seed": str})
    seed.restart(world, schema.choice(given.get("seed", "default"), "seed", ("default", "empty")))
    return {}


def plant(world: World, value: object) -> Told:
    seed.plant(world, value)
    return {}


def speak(world: World, value: object) -> Told:
    world.dialect = dialect.read(value)
    return {}


def provoke(world: World, value: object) -> Told:
    method, fault = faults.read(value, set(world.dialect.methods), world.released)
    world.faults[method] = fault
    return {}


def clear(world: World, value: object) -> Told:
    schema.members(value, "clear", {})
    world.clear_faults()
    return {}


def token(world: World, value: object) -> Told:
    given = schema.members(value, "token", {"site_key": str, "action": str, "hostname": str}, ("site_key",))
    if world.partner_by_site_key(given["site_key"]) is None:
        raise schema.Mistake(f"site_key: no partner has {given['site_key']!r}")
    return {"token": recaptcha.issue(world, **given)}


def password(world: World, value: object) -> Told:
    names = ("partner", "email", "password")
    given = schema.members(value, "password", dict.fromkeys(names, str), names)
    partner = world.partner(given["partner"])
    if partner is None:
        raise schema.Mistake(f"partner: no partner {given['partner']!r}")
    customer = world.customer_by_email(partner, given["email"])
    return {"matches": customer is not None and customer.password == given["password"]}


def clock(world: World, value: object) -> Told:
    world.skew += schema.members(value, "clock", {"advance": schema.NUMBER}, ("advance",))["advance"]
    return {}


def calls(world: World, query: dict[str, str]) -> list[Told]:
    only = narrowed(query, "method")
    return [call for call in world.calls if only is None or call["method"] == only]


def mails(world: World, query: dict[str, str]) -> list[Told]:
    only = narrowed(query, "to")
    return [mail_told(mail) for mail in mails_to(world, only)]


def mails_to(world: World, address: str | None) -> list[Mail]:
    wanted = address.lower() if address else None
    return [mail for mail in world.mails if wanted is None or wanted in [to.lower() for to in mail.to]]


def mail_told(mail: Mail) -> Told:
    told = {
        name: getattr(mail, name) for name in ("id", "to", "subject", "text", "html", "headers", "source")
    }
    return {**told, "from": mail.sender, "at": mail.at.isoformat()}


def customers(world: World, query: dict[str, str]) -> list[Told]:
    only = narrowed(query, "account_number")
    return [
        customer_told(customer)
        for customer in world.customers
        if only is None or customer.account_number == only
    ]


def customer_told(customer: Customer) -> Told:
    names = ("account_number", "email", "first_name", "last_name", "company_name", "phone", "confirmed")
    return {
        "partner": customer.partner.key,
        "partner_name": customer.partner.name,
        **{name: getattr(customer, name) for name in names},
        "password_set": bool(customer.password),
        "credit_limit": plain(customer.credit_limit),
        **account_told(customer),
    }


def partners(world: World, query: dict[str, str]) -> list[Told]:
    narrowed(query)
    names = (
        "key",
        "name",
        "site_key",
        "currency",
        "ips",
        "captcha_kind",
        "login_wants",
        "confirm_url",
        "from_email",
    )
    return [{**{n: getattr(p, n) for n in names}, **account_told(p)} for p in world.partners.values()]


def account_told(account: Account) -> Told:
    ledger = [f"{entry.on} {entry.kind} {plain(entry.amount)}" for entry in account.ledger]
    return {"balance": plain(account.balance()), "ledger": ledger}


def narrowed(query: dict[str, str], name: str = "") -> str | None:
    """The value of the one parameter a list can be narrowed by."""
    schema.members(query, "query", {name: str} if name else {})
    return query.get(name)


def verifications(world: World, query: dict[str, str]) -> list[Told]:
    narrowed(query)
    return world.verifications


def elsewhere(world: World, query: dict[str, str]) -> list[Told]:
    narrowed(query)
    return world.elsewhere


LOOK: dict[str, Callable[[World, dict[str, str]], list[Told]]] = {
    "calls": calls,
    "mails": mails,
    "customers": customers,
    "partners": partners,
    "siteverify": verifications,
    "elsewhere": elsewhere,
    "authenticator": authenticator.told,
}
DO: dict[str, Callable[[World, object], Told]] = {
    "reset": reset,
    "seed": plant,
    "dialect": speak,
    "fault": provoke,
    "faults/clear": clear,
    "token": token,
    "password": password,
    "clock": clock,
    "authenticator": authenticator.give,
}
