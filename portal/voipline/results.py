"""Read the results of a successful answer."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal

from portal.voipline import wire
from portal.voipline.methods import Field, Method

Answer = Mapping[str, Decimal | str]


@dataclass(frozen=True)
class Statement:
    """A statement for a period, with exact amounts in the partner's currency (see the carrier's article)."""

    opening_balance: Decimal
    payments: Decimal
    adjustments: Decimal
    call_charges: Decimal
    other_charges: Decimal
    total_charges: Decimal
    closing_balance: Decimal

    @classmethod
    def from_answer(cls, answer: Answer) -> "Statement":
        """Build a statement from the answer to customer_balance or partner_balance."""
        return cls(*(_require_decimal(answer[each.name]) for each in fields(cls)))

    @property
    def is_consistent(self) -> bool:
        """True if total = call + other + adjustments and closing = opening + payments - total, exactly."""
        total = self.call_charges + self.other_charges + self.adjustments
        closing = self.opening_balance + self.payments - self.total_charges
        return total == self.total_charges and closing == self.closing_balance

    @property
    def has_activity(self) -> bool:
        """True if anything was paid, charged or adjusted in the period."""
        charges = (self.call_charges, self.other_charges, self.adjustments, self.total_charges)
        return any((self.payments, *charges))


def _require_decimal(value: Decimal | str) -> Decimal:
    if not isinstance(value, Decimal):
        raise TypeError("A statement holds amounts only")
    return value


def extract(method: Method, body: Mapping[str, object], sent: Mapping[str, str]) -> Answer:
    """Return the results under `data`, by our names.

    Raise WireError if one is missing, has the wrong type or repeats another value than we sent. An answer
    without `data` is read as if it were the data. `sent`: our name → the text that was sent, to compare it
    with echoes.
    """
    data = body.get("data", body)
    if not _is_record(data):
        raise wire.WireError("data is not one record")
    answer: dict[str, Decimal | str] = {}
    has_blanks = False
    for name, field in method.rules.fields.items():
        path = method.results.get(name)
        value = _get_path(data, path) if path else _MISSING
        if field.movement and _is_blank(value):
            value, has_blanks = Decimal(0), True
        if value in (_MISSING, None) or (value == "" and not field.required):
            if field.required:
                raise wire.WireError(f"{name} is missing")
            continue
        answer[name] = _convert(name, field, value)
        if field.echo and name in sent:
            if not _is_same(name, value, sent[name]):
                raise wire.WireError(f"{name} is not the one that was asked for")
            answer[name] = sent[name]
    if has_blanks and not Statement.from_answer(answer).is_consistent:
        raise wire.WireError(
            "payments, adjustments or charges are empty, and the sums do not hold without them"
        )
    return answer


_MISSING = object()


def _is_record(data: object) -> bool:
    """Return True for one record, for nothing, or for a word. A list may hold at most one record."""
    if isinstance(data, list):
        return not data or (len(data) == 1 and isinstance(data[0], dict))
    if isinstance(data, str):
        return data.strip().casefold() not in ("false", "0")
    return data is None or data is True or isinstance(data, dict)


def _get_path(data: object, path: str) -> object:
    """Return the value at a dotted path. A list of one record counts as that record."""
    for step in path.split("."):
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        data = data.get(step, _MISSING) if isinstance(data, dict) else _MISSING
    return data


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _convert(name: str, field: Field, value: object) -> Decimal | str:
    try:
        return wire.amount(value) if field.kind == "amount" else wire.text(value)
    except wire.WireError as error:
        raise wire.WireError(f"{name} {error}") from None


def _is_same(name: str, value: object, sent: str) -> bool:
    """Compare an echo with what was sent: a number loses leading zeros, an email has several spellings."""
    text = wire.text(value)
    if name == "email":
        return _mailbox(text) == _mailbox(sent)
    return text == (sent if isinstance(value, str) else sent.lstrip("0") or "0")


def _mailbox(address: str) -> str:
    """Return one form for all spellings of an email address: its domain may be in Unicode or in ASCII."""
    local, _at, domain = address.lower().rpartition("@")
    with suppress(UnicodeError):
        encoded = domain.encode("idna")
        if encoded.decode("idna") == domain:  # Else it is another domain: straße.de encodes as strasse.de.
            domain = encoded.decode()
    return f"{local}@{domain}"
