"""`manage.py move_funds SLUG ACCOUNT AMOUNT --by EMAIL --description TEXT`: make a transfer."""

import re
import uuid
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User, with_email
from billing.models import Move
from billing.transfers.forms import TransferForm
from billing.transfers.service import Preview, TransferRefused, preview_transfer, request_transfer
from portal.management.arguments import find_brand
from portal.models import Brand

_AMOUNT = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,2})?")


class Command(BaseCommand):
    """Make a transfer under the same rules as the admin."""

    help = (
        "Move funds from a brand's partner account to a customer (a negative amount: back). Exit status 0 "
        "when it is done or waits for a second person, who approves it in the admin; else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The brand's short name.")
        parser.add_argument("account", help="The customer's account number.")
        parser.add_argument("amount", help="In the brand's currency, such as 25 or 12.50.")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="Who in the admin is answerable.")
        parser.add_argument("--description", required=True, help="What the statement says.")
        parser.add_argument("--operation", default="", help="A UUID: the same one is never moved twice.")
        parser.add_argument("--yes", action="store_true", help="Do not ask before moving.")
        parser.add_argument(
            "--empty-the-partner-account",
            action="store_true",
            help="Also where the partner balance comes to zero or below and cuts off all customers.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show the effect, ask for confirmation, make the transfer, and print its outcome."""
        brand, description = find_brand(options["slug"]), _description(options["description"])
        amount, operation = _amount(options["amount"]), _operation(options["operation"])
        customer, by = _customer(brand, options["account"]), _person(options["by"])
        try:
            if not options["yes"]:
                self._confirm(
                    brand,
                    customer,
                    amount,
                    preview_transfer(brand=brand, customer=customer, amount=amount, by=by),
                )
            transfer = request_transfer(
                brand=brand,
                customer=customer,
                amount=amount,
                description=description,
                operation=operation,
                by=by,
                empties_partner_confirmed=options["empty_the_partner_account"],
            )
        except TransferRefused as refused:
            raise CommandError(f"nothing was sent. {refused.words}") from refused
        self._print_outcome(transfer)

    def _confirm(self, brand: Brand, customer: User, amount: Decimal, preview: Preview) -> None:
        direction = f"{brand} → customer" if amount > 0 else f"{brand} ← customer"
        self.stdout.write(f"{direction} {customer.account_number}: {abs(amount)} {brand.currency}")
        self.stdout.write(f"  customer  {preview.customer_before} → {preview.customer_then}")
        self.stdout.write(f"  partner   {preview.partner_before} → {preview.partner_then}")
        if preview.under_way:
            self.stdout.write(f"  other moves may take up to {preview.under_way} more from it")
        if input("Move it? Type yes: ").strip() != "yes":
            raise CommandError("nothing was sent.")

    def _print_outcome(self, transfer: Move) -> None:
        self.stdout.write(
            f"{transfer.operation}: {transfer.outcome}{f' ({transfer.why})' if transfer.why else ''}"
        )
        if transfer.outcome == Move.State.WAITING:
            self.stdout.write("A second person has to approve it in the admin.")
        elif transfer.outcome == Move.State.UNKNOWN:
            raise CommandError(
                "we can't tell whether it went through. Don't send it again: resolve it in the admin."
            )
        elif transfer.outcome not in (Move.State.DONE, Move.State.FOUND_DONE):
            raise CommandError("it was not moved.")


def _amount(text: str) -> Decimal:
    if _AMOUNT.fullmatch(text) and (amount := Decimal(text)):
        return amount
    raise CommandError(f"{text!r} is no amount; write it like 25 or 12.50.")


def _description(text: str) -> str:
    field: Any = TransferForm.base_fields["description"]
    try:
        return str(field.clean(text))
    except ValidationError as error:
        raise CommandError(f"the description cannot be used. {' '.join(error.messages)}") from error


def _operation(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text) if text else uuid.uuid4()
    except ValueError as error:
        raise CommandError(f"{text!r} is no UUID.") from error


def _customer(brand: Brand, number: str) -> User:
    if number and (customer := User.objects.filter(brand=brand, account_number=number).first()):
        return customer
    raise CommandError(f"{brand.slug} has no customer with the account number {number}.")


def _person(email: str) -> User:
    person = User.objects.filter(with_email(email), brand=None, is_active=True, is_staff=True).first()
    if person is None:
        raise CommandError(f"nobody with the address {email} works in the admin.")
    return person
