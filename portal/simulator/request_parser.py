"""Parse requests as strictly as the carrier: every name, type and format must be right."""

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


class Rejection(Exception):
    """The carrier rejects a request: HTTP status, message, and the reason if it has its own code."""

    def __init__(self, status: int, message: str | Messages, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason

    @property
    def in_words(self) -> str:
        if isinstance(self.message, str):
            return self.message
        return " ".join(text for texts in self.message.values() for text in texts)


@dataclass
class RawParameters:
    """The parameters of a request as received, before validation."""

    query: Pairs = field(default_factory=list)
    fields: Pairs = field(default_factory=list)
    body_kind: str | None = None
    problem: Rejection | None = None
    factor: Decimal = Decimal(1)  # The amount is booked this many times.


@dataclass
class Values:
    """The validated parameters of a request, under our names and as our types."""

    text: dict[str, str]
    dates: dict[str, date] = field(default_factory=dict)
    amount: Decimal = Decimal()


def parse_parameters(request: Request) -> RawParameters:
    query = parse_qsl(request.query, keep_blank_values=True)
    known = {"multipart/form-data": "multipart", "application/x-www-form-urlencoded": "form"}
    body_kind = known.get(request.content_type, request.content_type or "unnamed") if request.body else None
    try:
        return RawParameters(query, read_body(request, body_kind), body_kind)
    except Rejection as problem:
        return RawParameters(query, [], body_kind, problem)


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
        raise Rejection(400, "Malformed multipart body")
    return [part_of(part) for part in parts]


def part_of(part: bytes) -> tuple[str, str]:
    top, gap, content = part.partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(top.removeprefix(b"\r\n"))
    name = headers.get_param("name", header="content-disposition")
    if not gap or not content.endswith(b"\r\n") or not isinstance(name, str):
        raise Rejection(400, "Malformed multipart body")
    if headers.get_filename() is not None:
        raise Rejection(400, {name: ["A file is not accepted."]})
    return name, utf8(content.removesuffix(b"\r\n"))


def utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Rejection(400, "The body is not UTF-8") from error


def values(raw: RawParameters, method: Method, partner: Partner, number: str | None) -> Values:
    """Return the method's parameters. Raise Rejection with a message for each parameter that is wrong."""
    if raw.problem:
        raise raw.problem
    pairs = parameters_in_place(raw, method)
    expected = expected_names(method, partner)
    messages = name_errors(pairs, expected, method)
    if messages:
        raise Rejection(400, messages)
    given = dict(pairs)
    text = {ours: given.get(theirs, "") for ours, theirs in expected.items()}
    return convert(text | ({} if number is None else {"account_number": number}), method)


def parameters_in_place(raw: RawParameters, method: Method) -> Pairs:
    if method.verb == "GET":
        if raw.body_kind is not None or raw.fields:
            raise Rejection(400, "A GET has no body")
        return raw.query
    if raw.body_kind != method.body:
        raise Rejection(415, "Unsupported body kind")
    if raw.query:
        raise Rejection(400, "Parameters belong into the body")
    return raw.fields


def expected_names(method: Method, partner: Partner) -> dict[str, str]:
    sent_names = method.sent_names()
    if method.key == "login_via_url":
        extra = set(partner.login_wants)
        # The customer must be identified: without the account number by email.
        extra |= set() if method.parameters["account_number"] else {"email"}
        sent_names = {
            ours: n for ours, n in sent_names.items() if ours in extra or ours not in ("email", "password")
        }
    return sent_names


def name_errors(pairs: Pairs, expected: dict[str, str], method: Method) -> Messages:
    messages: Messages = {}
    given = dict(pairs)
    for name, count in Counter(name for name, _ in pairs).items():
        if name not in expected.values() and name not in method.constants:
            messages[name] = ["Unknown parameter."]
        elif count > 1:
            messages[name] = ["Given more than once."]
    for ours, name in expected.items():
        if ours not in MAY_BE_EMPTY and not given.get(name, "").strip():
            messages[name] = [f"The {name} field is required."]
    for name, value in method.constants.items():
        if given.get(name) != value:
            messages[name] = [f"Must be {value!r}."]
    return messages


def convert(text: dict[str, str], method: Method) -> Values:
    result = Values(text)
    messages: Messages = {}
    for ours in {"from_date", "to_date"} & set(text):
        try:
            result.dates[ours] = strict_date(text[ours], method.date_format)
        except ValueError:
            messages[method.theirs(ours)] = [f"Not a date of the form {method.date_format}."]
    if "amount" in text:
        if AMOUNT.fullmatch(text["amount"]):
            result.amount = Decimal(text["amount"])
        else:
            messages[method.theirs("amount")] = ["Not a plain decimal with at most five places."]
    if not messages and result.dates and result.dates["from_date"] > result.dates["to_date"]:
        messages[method.theirs("to_date")] = ["Ends before it begins."]
    if messages:
        raise Rejection(400, messages)
    return result


def strict_date(text: str, form: str) -> date:
    """Parse a date in exactly this format; strptime alone would accept 2020-1-1 for 2020-01-01."""
    parsed = datetime.strptime(text, form)
    if parsed.strftime(form) != text:
        raise ValueError(text)
    return parsed.date()
