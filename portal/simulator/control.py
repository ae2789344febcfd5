"""Control API for tests and demos, not part of the carrier's: reset, seed, dialect, faults, lists."""

from collections.abc import Callable
from typing import Any

from portal.simulator import authenticator, dialect, faults, recaptcha, schema, seed
from portal.simulator.json_exact import plain
from portal.simulator.wire import Answer, Request, json_answer
from portal.simulator.world import Account, Customer, Mail, World

PREFIX = "/_control/"
Json = dict[str, Any]


def answer(world: World, request: Request) -> Answer:
    name = request.path.removeprefix(PREFIX)
    try:
        if request.verb == "GET" and name in LISTS:
            with world.lock:
                return json_answer(200, {"ok": True, name: LISTS[name](world, request.parameters())})
        if request.verb == "POST" and name in ACTIONS:
            value = schema.from_json(request.body or b"{}", "body")
            with world.lock:
                return json_answer(200, {"ok": True, **ACTIONS[name](world, value)})
    except schema.InvalidInput as error:
        return json_answer(400, {"error": str(error)})
    exists = name in LISTS or name in ACTIONS
    return json_answer(405 if exists else 404, {"error": f"no {request.verb} {request.path}"})


def reset(world: World, value: object) -> Json:
    given = schema.members(value, "reset", {"seed": str})
    seed.restart(world, schema.choice(given.get("seed", "default"), "seed", ("default", "empty")))
    return {}


def apply_seed(world: World, value: object) -> Json:
    seed.apply_seed(world, value)
    return {}


def set_dialect(world: World, value: object) -> Json:
    world.dialect = dialect.read(value)
    return {}


def set_fault(world: World, value: object) -> Json:
    method, fault = faults.read(value, set(world.dialect.methods), world.released)
    world.faults[method] = fault
    return {}


def clear(world: World, value: object) -> Json:
    schema.members(value, "clear", {})
    world.clear_faults()
    return {}


def token(world: World, value: object) -> Json:
    given = schema.members(value, "token", {"site_key": str, "action": str, "hostname": str}, ("site_key",))
    if world.partner_by_site_key(given["site_key"]) is None:
        raise schema.InvalidInput(f"site_key: no partner has {given['site_key']!r}")
    return {"token": recaptcha.issue(world, **given)}


def password(world: World, value: object) -> Json:
    names = ("partner", "email", "password")
    given = schema.members(value, "password", dict.fromkeys(names, str), names)
    partner = world.partner(given["partner"])
    if partner is None:
        raise schema.InvalidInput(f"partner: no partner {given['partner']!r}")
    customer = world.customer_by_email(partner, given["email"])
    return {"matches": customer is not None and customer.password == given["password"]}


def clock(world: World, value: object) -> Json:
    world.skew += schema.members(value, "clock", {"advance": schema.NUMBER}, ("advance",))["advance"]
    return {}


def calls(world: World, query: dict[str, str]) -> list[Json]:
    wanted = filter_value(query, "method")
    return [call for call in world.calls if wanted is None or call["method"] == wanted]


def mails(world: World, query: dict[str, str]) -> list[Json]:
    wanted = filter_value(query, "to")
    return [mail_data(mail) for mail in mails_to(world, wanted)]


def mails_to(world: World, address: str | None) -> list[Mail]:
    recipient = address.lower() if address else None
    return [mail for mail in world.mails if recipient is None or recipient in [to.lower() for to in mail.to]]


def mail_data(mail: Mail) -> Json:
    data = {
        name: getattr(mail, name) for name in ("id", "to", "subject", "text", "html", "headers", "source")
    }
    return {**data, "from": mail.sender, "at": mail.at.isoformat()}


def customers(world: World, query: dict[str, str]) -> list[Json]:
    wanted = filter_value(query, "account_number")
    return [
        customer_data(customer)
        for customer in world.customers
        if wanted is None or customer.account_number == wanted
    ]


def customer_data(customer: Customer) -> Json:
    names = ("account_number", "email", "first_name", "last_name", "company_name", "phone", "confirmed")
    return {
        "partner": customer.partner.key,
        "partner_name": customer.partner.name,
        **{name: getattr(customer, name) for name in names},
        "password_set": bool(customer.password),
        "credit_limit": plain(customer.credit_limit),
        **account_data(customer),
    }


def partners(world: World, query: dict[str, str]) -> list[Json]:
    schema.members(query, "query", {})
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
    return [{**{n: getattr(p, n) for n in names}, **account_data(p)} for p in world.partners.values()]


def account_data(account: Account) -> Json:
    ledger = [f"{entry.on} {entry.kind} {plain(entry.amount)}" for entry in account.ledger]
    return {"balance": plain(account.balance()), "ledger": ledger}


def filter_value(query: dict[str, str], name: str) -> str | None:
    """Return the value of the one parameter that a list can be filtered by."""
    schema.members(query, "query", {name: str})
    return query.get(name)


def verifications(world: World, query: dict[str, str]) -> list[Json]:
    schema.members(query, "query", {})
    return world.verifications


def elsewhere(world: World, query: dict[str, str]) -> list[Json]:
    schema.members(query, "query", {})
    return world.elsewhere


LISTS: dict[str, Callable[[World, dict[str, str]], list[Json]]] = {
    "calls": calls,
    "mails": mails,
    "customers": customers,
    "partners": partners,
    "siteverify": verifications,
    "elsewhere": elsewhere,
    "authenticator": authenticator.list_codes,
}
ACTIONS: dict[str, Callable[[World, object], Json]] = {
    "reset": reset,
    "seed": apply_seed,
    "dialect": set_dialect,
    "fault": set_fault,
    "faults/clear": clear,
    "token": token,
    "password": password,
    "clock": clock,
    "authenticator": authenticator.add,
}
