"""Failures on demand. A fault gets the method's work as a function and returns the answer.

before the work   status code body html_error redirect drop_before hang
work, then        status_after body_after html empty truncated huge gzip_bomb wrong_json drop_after cut drip_*
only late         slow
another amount    factor (of move_funds)
"""

import json
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from portal.simulator import schema, wire
from portal.simulator.json_exact import Literal, render, with_leaves
from portal.simulator.wire import Answer, json_answer

MEBIBYTE = 1024 * 1024
Work = Callable[[], Answer]


@dataclass
class Fault:
    name: str
    times: int | None = None
    seconds: float | None = None
    status: int = 500
    message: str = ""
    retry_after: str = ""
    location: str = "/elsewhere"
    text: str = ""  # The exact body.
    factor: str = "1"  # The amount is booked this many times.
    # Set when faults are cleared, which ends all waiting.
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, work: Work) -> Answer:
        return CARRIER[self.name](self, work)

    def error(self) -> Answer:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        message = self.message or wire.phrase(self.status)
        return json_answer(self.status, {"code": self.status, "message": message}, headers)

    def wait(self) -> None:
        self.released.wait(5.0 if self.seconds is None else self.seconds)


def slow(fault: Fault, work: Work) -> Answer:
    fault.wait()
    return work()


def factor(fault: Fault, work: Work) -> Answer:
    return work()  # `carrier.answer` multiplies the amount.


def hang(fault: Fault, work: Work) -> Answer:
    return Answer(delivery=wire.hang(fault.released), complete=False)


def drop_before(fault: Fault, work: Work) -> Answer:
    return Answer(delivery=wire.drop, complete=False)


def drop_after(fault: Fault, work: Work) -> Answer:
    return replace(work(), delivery=wire.drop, complete=False)


def drip(part: str) -> Callable[[Fault, Work], Answer]:
    def dripping(fault: Fault, work: Work) -> Answer:
        seconds = 0.3 if fault.seconds is None else fault.seconds
        return replace(work(), delivery=wire.drip(part, seconds, fault.released), complete=False)

    return dripping


def cut(fault: Fault, work: Work) -> Answer:
    return replace(work(), delivery=wire.cut(fault.message or "body"), complete=False)


def status(fault: Fault, work: Work) -> Answer:
    return fault.error()


def status_after(fault: Fault, work: Work) -> Answer:
    work()
    return fault.error()


def code(fault: Fault, work: Work) -> Answer:
    return replace(fault.error(), status=200)


def body(fault: Fault, work: Work) -> Answer:
    kind = "text/html; charset=utf-8" if fault.text.startswith("<") else "application/json"
    return Answer(fault.status, fault.text.encode(), kind)


def body_after(fault: Fault, work: Work) -> Answer:
    work()
    return body(fault, work)


def html(fault: Fault, work: Work) -> Answer:
    work()
    return Answer(200, b"<!doctype html><title>Welcome</title><h1>Welcome</h1>", "text/html; charset=utf-8")


def html_error(fault: Fault, work: Work) -> Answer:
    return Answer(502, b"<!doctype html><title>502</title><h1>Bad Gateway</h1>", "text/html; charset=utf-8")


def empty(fault: Fault, work: Work) -> Answer:
    work()
    return Answer(200)


def truncated(fault: Fault, work: Work) -> Answer:
    return replace(work(), delivery=wire.truncated, complete=False)


def huge(fault: Fault, work: Work) -> Answer:
    return replace(work(), delivery=wire.flood(b" " * MEBIBYTE, 60))


def gzip_bomb(fault: Fault, work: Work) -> Answer:
    answer = work()
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(b" " * MEBIBYTE) for _ in range(100)]
    packed += [packer.compress(answer.body), packer.flush()]
    return replace(answer, body=b"".join(packed), headers={**answer.headers, "Content-Encoding": "gzip"})


def redirect(fault: Fault, work: Work) -> Answer:
    return Answer(fault.status, headers={"Location": fault.location})


def wrong_json(fault: Fault, work: Work) -> Answer:
    answer = work()
    data = json.loads(answer.body, parse_float=Decimal).get("data", {})
    return replace(answer, status=200, body=WRONG_JSON[fault.message](data).encode())


def success(data: object) -> str:
    return render({"code": 200, "data": data})


def every_value(literal: str) -> Callable[[Any], str]:
    return lambda data: success(with_leaves(data, lambda value: Literal(literal)))


def duplicate_keys(data: Any) -> str:
    first = render(data)[1:-1]
    second = render(with_leaves(data, lambda v: f"{v}0" if isinstance(v, str) else Decimal(str(v)) + 1))[1:-1]
    return success(Literal("{" + ",".join(filter(None, (first, second))) + "}"))


def wrong_types(data: Any) -> str:
    kinds = iter(range(1000))
    return success(with_leaves(data, lambda value: ([value], {"value": value}, True)[next(kinds) % 3]))


WRONG_JSON: dict[str, Callable[[Any], str]] = {
    "array": lambda data: "[]",
    "string": lambda data: '"fine"',
    "nan": every_value("NaN"),
    "infinity": every_value("Infinity"),
    "exponent": every_value("1e999999999"),
    "duplicate": duplicate_keys,
    "missing": lambda data: success(dict(list(data.items())[:-1])),
    "types": wrong_types,
    "null_data": lambda data: success(None),
    "no_data": lambda data: render({"code": 200}),
}

CARRIER: dict[str, Callable[[Fault, Work], Answer]] = {
    "slow": slow,
    "factor": factor,
    "hang": hang,
    "drip_status": drip("status"),
    "drip_headers": drip("headers"),
    "drip_body": drip("body"),
    "drop_before": drop_before,
    "drop_after": drop_after,
    "cut": cut,
    "status": status,
    "status_after": status_after,
    "code": code,
    "body": body,
    "body_after": body_after,
    "html": html,
    "html_error": html_error,
    "empty": empty,
    "truncated": truncated,
    "huge": huge,
    "gzip_bomb": gzip_bomb,
    "redirect": redirect,
    "wrong_json": wrong_json,
}
ELSEWHERE = {
    "siteverify": {"status", "html", "hang", "slow", "refuse"},
    "api.js": {"status", "hang"},
    "smtp": {"down", "slow", "reject"},
}
DEFAULT_STATUS = {"redirect": 302, "body": 200, "body_after": 200}
REDIRECTS = {301, 302, 303, 307, 308}
CUTS = {"status", "headers", "body"}
MEMBERS: dict[str, schema.Kinds] = {
    "method": str,
    "fault": str,
    "times": (int, schema.NOTHING),
    "seconds": schema.NUMBER,
    "status": int,
    "message": str,
    "retry_after": (str, int),
    "location": str,
    "text": str,
    "factor": str,
}


def read(value: object, methods: set[str], released: threading.Event) -> tuple[str, Fault]:
    """Return the method and the fault of a control request."""
    given = schema.members(value, "fault", MEMBERS, ("method", "fault"))
    method = schema.choice(given.pop("method"), "method", methods | {"*"} | set(ELSEWHERE))
    name = schema.choice(given.pop("fault"), "fault", ELSEWHERE.get(method, set(CARRIER)))
    if name in DEFAULT_STATUS:
        given.setdefault("status", DEFAULT_STATUS[name])
    fault = Fault(name, released=released, **{**given, "retry_after": str(given.get("retry_after", ""))})
    validate(fault)
    return method, fault


def validate(fault: Fault) -> None:
    if fault.times is not None and fault.times < 1:
        raise schema.InvalidInput("times: at least 1, or null for ever")
    if fault.seconds is not None and fault.seconds < 0:
        raise schema.InvalidInput("seconds: not negative")
    if not 200 <= fault.status <= 599 and fault.name != "code":
        raise schema.InvalidInput("status: an HTTP status from 200 to 599")
    schema.amount(fault.factor, "factor")
    if fault.name == "redirect" and fault.status not in REDIRECTS:
        raise schema.InvalidInput("status: 301, 302, 303, 307 or 308")
    if fault.name == "wrong_json":
        schema.choice(fault.message, "message", WRONG_JSON)
    if fault.name == "cut" and fault.message:
        schema.choice(fault.message, "message", CUTS)
