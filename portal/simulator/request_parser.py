"""How the carrier reads a request: every name, kind and shape must be as agreed, and nothing may be added."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from email.parser import BytesHeaderParser
from urllib.parse import parse_qsl

from portal.simulator.dialect import Method
from portal.simulator.wire import Request
from portal.simulator.world import Partner

Pairs = list[tuple[str, str]]
Messages = dict[str, list[str]]
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,5})?")
MAY_BE_EMPTY = {"company_name"}


class Refused(Exception):
    """The carrier's no: an HTTP status, the message, and the reason where that has a code of its own."""

    def __init__(self, status: int, message: str | Messages, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason

    @property
    def in_words(self) -> str:
        if isinstance(self.message, str):
            return self.message
        return " ".join(text for texts in self.message.values() for text in texts)


@dataclass
class Arrived:
    """The parameters of a request as they came, before anything is judged."""

    query: Pairs = field(default_factory=list)
    fields: Pairs = field(default_factory=list)
    body_kind: str | None = None
    problem: Refused | None = None
    factor: Decimal = Decimal(1)  # How many times the amount is booked.


@dataclass
class Values:
    """The parameters of a request, under our names and in our types."""

    text: dict[str, str]
    dates: dict[str, date] = field(default_factory=dict)
    amount: Decimal = Decimal()


def arrived(request: Request) -> Arrived:
    query = parse_qsl(request.query, keep_blank_values=True)
    known = {"multipart/form-data": "multipart", "application/x-www-form-urlencoded": "form"}
    body_kind = known.get(request.content_type, request.content_type or "unnamed") if request.body else None
    try:
        return Arrived(query, read_body(request, body_kind), body_kind)
    except Refused as problem:
        return Arrived(query, [], body_kind, problem)


def read_body(request: Request, kind: str | None) -> Pairs:
    if kind == "multipart":
        return multipart(request.body, str(request.headers.get_param("boundary", "")))
    if kind == "form":
        return parse_qsl(utf8(request.body), keep_blank_values=True, strict_parsing=False)
    return []


def multipart(body: bytes, boundary: str) -> Pairs:
    delimiter = b"--" + boundary.encode()
    opening, *parts, closing = body.split(delimiter)
    if not boundary or opening or closing not in (b"--", b"--\r\n"):
        raise Refused(400, "Malformed multipart body")
    return [part_of(part) for part in parts]


def part_of(part: bytes) -> tuple[str, str]:
    top, gap, content = part.partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(top.removeprefix(b"\r\n"))
    name = headers.get_param("name", header="content-disposition")
    if not gap or not content.endswith(b"\r\n") or not isinstance(name, str):
        raise Refused(400, "Malformed multipart body")
    if headers.get_filename() is not None:
        raise Refused(400, {name: ["A file is not accepted."]})
    return name, utf8(content.removesuffix(b"\r\n"))


def utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, "The body is not UTF-8") from error


def values(came: Arrived, method: Method, partner: Partner, number: str | None) -> Values:
    """What the method needs, or Refused with a message for each parameter that is wrong."""
    if came.problem:
        raise came.problem
    pairs = right_place(came, method)
    wanted = wanted_by(method, partner)
    messages = wrong_names(pairs, wanted, method)
    if messages:
        raise Refused(400, messages)
    given = dict(pairs)
    text = {ours: given.get(theirs, "") for ours, theirs in wanted.items()}
    return in_shape(text | ({} if number is None else {"account_number": number}), method)


def right_place(came: Arrived, method: Method) -> Pairs:
    if method.verb == "GET":
        if came.body_kind is not None or came.fields:
            raise Refused(400, "A GET has no body")
        return came.query
    if came.body_kind != method.body:
        raise Refused(415, "Unsupported body kind")
    if came.query:
        raise Refused(400, "Parameters belong into the body")
    return came.fields


def wanted_by(method: Method, partner: Partner) -> dict[str, str]:
    spoken = method.spoken()
    if method.key == "login_via_url":
        extra = set(partner.login_wants)
        # Somebody must be named: without the account number it is the e-mail address.
        extra |= set() if method.parameters["account_number"] else {"email"}
        spoken = {ours: n for ours, n in spoken.items() if ours in extra or ours not in ("email", "password")}
    return spoken


def wrong_names(pairs: Pairs, wanted: dict[str, str], method: Method) -> Messages:
    messages: Messages = {}
    given = dict(pairs)
    for name, times in Counter(name for name, _ in pairs).items():
        if name not in wanted.values() and name not in method.constants:
            messages[name] = ["Unknown parameter."]
        elif times > 1:
            messages[name] = ["Given more than once."]
    for ours, name in wanted.items():
        if ours not in MAY_BE_EMPTY and not given.get(name, "").strip():
            messages[name] = [f"The {name} field is required."]
    for name, value in method.constants.items():
        if given.get(name) != value:
            messages[name] = [f"Must be {value!r}."]
    return messages


def in_shape(text: dict[str, str], method: Method) -> Values:
    shaped = Values(text)
    messages: Messages = {}
    for ours in {"from_date", "to_date"} & set(text):
        try:
            shaped.dates[ours] = strict_date(text[ours], method.date_format)
        except ValueError:
            messages[method.theirs(ours)] = [f"Not a date of the form {method.date_format}."]
    if "amount" in text:
        if AMOUNT.fullmatch(text["amount"]):
            shaped.amount = Decimal(text["amount"])
        else:
            messages[method.theirs("amount")] = ["Not a plain decimal with at most five places."]
    if not messages and shaped.dates and shaped.dates["from_date"] > shaped.dates["to_date"]:
        messages[method.theirs("to_date")] = ["Ends before it begins."]
    if messages:
        raise Refused(400, messages)
    return shaped


def strict_date(text: str, form: str) -> date:
    """As the form says to the letter: strptime alone would take 2020-1-1 for 2020-01-01."""
    parsed = datetime.strptime(text, form)
    if parsed.strftime(form) != text:
        raise ValueError(text)
    return parsed.date()
