"""The seven methods. Each takes validated values and returns the results under our names."""

import re
import secrets
from collections.abc import Callable
from urllib.parse import quote

from portal.simulator import mailbox
from portal.simulator.dialect import Method
from portal.simulator.request_parser import Rejection, Values
from portal.simulator.world import MIN_PASSWORD_LENGTH, Customer, Entry, Partner, World

Results = dict[str, object]
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def get_customer(world: World, partner: Partner, values: Values) -> Customer:
    """Return the partner's customer. Another partner's customer is unknown."""
    if "account_number" in values.text:
        customer = world.customer(partner, values.text["account_number"])
    else:
        customer = world.customer_by_email(partner, values.text["email"])
    if customer is None:
        raise Rejection(404, "Customer not found", "customer_unknown")
    return customer


def field_error(method: Method, ours: str, text: str, reason: str = "") -> Rejection:
    return Rejection(422, {method.theirs(ours): [text]}, reason)


def customer_balance(world: World, method: Method, partner: Partner, values: Values) -> Results:
    customer = get_customer(world, partner, values)
    return dict(customer.statement(values.dates["from_date"], values.dates["to_date"]))


def partner_balance(world: World, method: Method, partner: Partner, values: Values) -> Results:
    return dict(partner.statement(values.dates["from_date"], values.dates["to_date"]))


def move_funds(world: World, method: Method, partner: Partner, values: Values) -> Results:
    customer = get_customer(world, partner, values)
    if not values.amount:
        raise field_error(method, "amount", "The amount must not be zero.")
    amount = -values.amount if partner.moves_backwards else values.amount
    customer.ledger.append(Entry(world.today(), "payment", amount))
    partner.ledger.append(Entry(world.today(), "adjustment", amount))
    return {"customer_balance": customer.balance(), "customer_credit_limit": customer.credit_limit}


def register_customer(world: World, method: Method, partner: Partner, values: Values) -> Results:
    validate_person(world, method, partner, values)
    person = {name: text for name, text in values.text.items() if name != "google_captcha"}
    customer = Customer(
        partner=partner,
        account_number=world.next_account_number(),
        code="".join(secrets.choice(CODE_ALPHABET) for _ in range(8)),
        **person,  # type: ignore[arg-type]
    )
    if partner.welcome_credit:
        customer.ledger.append(Entry(world.today(), "payment", partner.welcome_credit))
    world.customers.append(customer)
    send_confirmation(world, customer)
    return {"account_number": customer.account_number} if partner.register_returns_account_number else {}


def validate_person(world: World, method: Method, partner: Partner, values: Values) -> None:
    if not EMAIL.fullmatch(values.text["email"]):
        raise field_error(method, "email", "The email must be a valid email address.")
    if world.customer_by_email(partner, values.text["email"]):
        raise field_error(method, "email", "The email has already been taken.", "email_taken")
    if len(values.text["password"]) < MIN_PASSWORD_LENGTH:
        raise field_error(
            method, "password", f"The password must be at least {MIN_PASSWORD_LENGTH} characters."
        )


def send_confirmation(world: World, customer: Customer) -> None:
    link = customer.partner.confirm_url.replace("{email}", quote(customer.email, safe=""))
    link = link.replace("{code}", customer.code)
    mailbox.send(
        world,
        customer,
        f"Confirm your e-mail address: {customer.code}",
        f"Hello {customer.full_name},\n\nyour confirmation code is {customer.code}\n\n"
        f"Enter it on the page after your sign-up, or open this link:\n{link}\n",
    )


def confirm_email(world: World, method: Method, partner: Partner, values: Values) -> Results:
    customer = get_customer(world, partner, values)
    if customer.confirmed:
        raise Rejection(409, "Already confirmed", "already_confirmed")
    if not customer.code or values.text["code"] != customer.code:
        raise field_error(method, "code", "The code is invalid.", "code_wrong")
    customer.confirmed = True
    return {"account_number": customer.account_number} if partner.confirm_returns_account_number else {}


def login_via_url(world: World, method: Method, partner: Partner, values: Values) -> Results:
    customer = get_customer(world, partner, values)
    if values.text.get("email", customer.email).lower() != customer.email.lower():
        raise field_error(method, "email", "The email is incorrect.")
    if values.text.get("password", customer.password) != customer.password:
        raise field_error(method, "password", "The password is incorrect.")
    return {"url": f"{world.base_url}/carrier/login?ticket={world.issue_ticket('login', customer)}"}


def reset_password(world: World, method: Method, partner: Partner, values: Values) -> Results:
    customer = get_customer(world, partner, values)
    link = f"{world.base_url}/carrier/reset?ticket={world.issue_ticket('reset', customer)}"
    text = (
        f"Hello {customer.full_name},\n\nset a new password here:\n{link}\n\nThe link works for one hour.\n"
    )
    mailbox.send(world, customer, "Set a new password", text)
    return {}


HANDLERS: dict[str, Callable[[World, Method, Partner, Values], Results]] = {
    "customer_balance": customer_balance,
    "partner_balance": partner_balance,
    "move_funds": move_funds,
    "register_customer": register_customer,
    "confirm_email": confirm_email,
    "login_via_url": login_via_url,
    "reset_password": reset_password,
}
