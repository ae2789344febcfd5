"""What an answer means: success or which error, and the results in it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal

from portal.voipline import wire
from portal.voipline.methods import Field, Method

Answer = Mapping[str, Decimal | str]


@dataclass(frozen=True)
class Statement:
    """A balance statement over a period; exact amounts in the partner's currency (the carrier's article)."""

    opening_balance: Decimal
    payments: Decimal
    adjustments: Decimal
    call_charges: Decimal
    other_charges: Decimal
    total_charges: Decimal
    closing_balance: Decimal

    @classmethod
    def from_answer(cls, answer: Answer) -> "Statement":
        """From the answer to customer_balance or partner_balance."""
        return cls(*(_decimal(answer[each.name]) for each in fields(cls)))

    @property
    def is_consistent(self) -> bool:
        """total = call + other + adjustments, and closing = opening + payments - total, to the last digit."""
        total = self.call_charges + self.other_charges + self.adjustments
        closing = self.opening_balance + self.payments - self.total_charges
        return total == self.total_charges and closing == self.closing_balance

    @property
    def moved(self) -> bool:
        """Whether anything was paid, charged or adjusted in the period."""
        charges = (self.call_charges, self.other_charges, self.adjustments, self.total_charges)
        return any((self.payments, *charges))


def _decimal(value: Decimal | str) -> Decimal:
    if not isinstance(value, Decimal):
        raise TypeError("A statement holds amounts only")
    return value


def extract(method: Method, body: Mapping[str, object], sent: Mapping[str, str]) -> Answer:
    """The results under `data`, by our names; WireError where one is missing, of the wrong type or not ours.

    Where there is no `data` at all they are looked for in the answer itself. `sent`: our name → the text that
    was sent, to compare what the carrier repeats.
    """
    data = body.get("data", body)
    if not _is_record(data):
        raise wire.WireError("data is not one record")
    answer: dict[str, Decimal | str] = {}
    unmoved = False
    for name, field in method.rules.fields.items():
        path = method.results.get(name)
        found = _at(data, path) if path else _MISSING
        if field.movement and _says_nothing(found):
            found, unmoved = Decimal(0), True
        if found in (_MISSING, None) or (found == "" and not field.required):
            if field.required:
                raise wire.WireError(f"{name} is missing")
            continue
        answer[name] = _value(name, field, found)
        if field.echo and name in sent:
            if not _same(name, found, sent[name]):
                raise wire.WireError(f"{name} is not the one that was asked for")
            answer[name] = sent[name]
    if unmoved and not Statement.from_answer(answer).is_consistent:
        raise wire.WireError(
            "payments, adjustments or charges are empty, and the sums do not hold without them"
        )
    return answer


_MISSING = object()


def _is_record(data: object) -> bool:
    """One record, or nothing, or a word to read; a list holds one record at the most."""
    if isinstance(data, list):
        return not data or (len(data) == 1 and isinstance(data[0], dict))
    if isinstance(data, str):
        return data.strip().casefold() not in ("false", "0")
    return data is None or data is True or isinstance(data, dict)


def _at(data: object, path: str) -> object:
    """The value at a dotted path; a list of one record is that record."""
    for step in path.split("."):
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        data = data.get(step, _MISSING) if isinstance(data, dict) else _MISSING
    return data


def _says_nothing(found: object) -> bool:
    return found is None or (isinstance(found, str) and not found.strip())


def _value(name: str, field: Field, found: object) -> Decimal | str:
    try:
        return wire.amount(found) if field.kind == "amount" else wire.text(found)
    except wire.WireError as error:
        raise wire.WireError(f"{name} {error}") from None


def _same(name: str, came: object, sent: str) -> bool:
    """Whether it is what was sent: a number has lost its leading zeros, and mailboxes have many spellings."""
    text = wire.text(came)
    if name == "email":
        return _mailbox(text) == _mailbox(sent)
    return text == (sent if isinstance(came, str) else sent.lstrip("0") or "0")


def _mailbox(address: str) -> str:
    """What all spellings of one address have in common: its domain may be written in letters or in ASCII."""
    local, _at, domain = address.lower().rpartition("@")
    with suppress(UnicodeError):
        written = domain.encode("idna")
        if written.decode("idna") == domain:  # Else it is another one, as strasse.de is for straße.de.
            domain = written.decode()
    return f"{local}@{domain}"
