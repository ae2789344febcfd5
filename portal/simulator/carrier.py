"""The carrier's front door: writes down what came, checks key and address, lets the method do its work."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from portal.simulator import error_formats, methods, recaptcha, request_parser
from portal.simulator.dialect import Method
from portal.simulator.request_parser import Arrived, Refused, Values
from portal.simulator.wire import Answer, Request, json_answer
from portal.simulator.world import Partner, World

MASK = "•••"


def concerns(world: World, request: Request) -> bool:
    """Whether a request is meant for the carrier; a key sent to a wrong path is."""
    in_house = request.path.startswith("/api/") or world.dialect.find(request.path) is not None
    return in_house or ("token" in request.headers and not request.path.startswith("/elsewhere"))


def answer(world: World, request: Request) -> Answer:
    found = world.dialect.find(request.path)
    method, number = found or (None, None)
    came = request_parser.arrived(request)
    with world.lock:
        call = write_down(world, request, method, came)

    def work() -> Answer:
        with world.lock:
            return judged(world, request, method, number, came, call)

    fault = world.take_fault(method.key, "*") if method else None
    call["fault"] = fault.name if fault else None
    came.factor = Decimal(fault.factor) if fault else came.factor
    told = fault.answer(work) if fault else work()
    call["status"] = told.status if told.whole else None
    return told


def judged(
    world: World,
    request: Request,
    method: Method | None,
    number: str | None,
    came: Arrived,
    call: dict[str, Any],
) -> Answer:
    partner = None
    try:
        if method is None:
            raise Refused(404, "Not found")
        partner = authorised(world, request)
        if request.verb != method.verb:
            raise Refused(405, "Method not allowed")
        values = request_parser.values(came, method, partner, number)
        values.amount *= came.factor
        spend_captcha(world, method, partner, values)
        data = methods.DO[method.key](world, method, partner, values)
    except Refused as refused:
        return refusal(world, partner, refused)
    call["worked"] = True
    return error_formats.SUCCESS[world.dialect.manners](method, data)


def authorised(world: World, request: Request) -> Partner:
    """A wrong key and a strange address look the same from outside."""
    partner = key_owner(world, request)
    if partner is None or request.peer not in partner.ips:
        raise Refused(401, "Not authorised", "not_authorised")
    return partner


def key_owner(world: World, request: Request) -> Partner | None:
    keys = request.headers.get_all("token", [])
    return world.partners.get(keys[0]) if len(keys) == 1 else None


def spend_captcha(world: World, method: Method, partner: Partner, values: Values) -> None:
    if method.verb == "POST" and recaptcha.spend(world, partner.site_key, values.text["google_captcha"]):
        raise Refused(422, {method.theirs("google_captcha"): ["timeout-or-duplicate"]}, "captcha_failed")


def refusal(world: World, partner: Partner | None, refused: Refused) -> Answer:
    code = world.dialect.codes.get(refused.reason)
    if code is not None:
        return json_answer(200, {"code": code, "message": refused.in_words})
    answer = error_formats.REFUSAL[world.dialect.manners](refused)
    return replace(answer, status=200) if partner and partner.codes_in_body else answer


def write_down(world: World, request: Request, method: Method | None, came: Arrived) -> dict[str, Any]:
    owner = key_owner(world, request)
    secret_names = {"password", method.theirs("password") if method else "password"}
    call: dict[str, Any] = {
        "method": method.key if method else None,
        "verb": request.verb,
        "path": request.path,
        "query": readable(came.query, secret_names),
        "fields": readable(came.fields, secret_names),
        "body_kind": came.body_kind,
        "partner": owner.name if owner else None,
        "connection": request.connection,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "status": None,
        "fault": None,
        "worked": False,
    }
    if "token" in call["headers"]:
        call["headers"]["token"] = owner.name if owner else "?"
    world.calls.append(call)
    return call


def readable(pairs: Iterable[tuple[str, str]], secret_names: set[str]) -> dict[str, Any]:
    """As received, except for passwords; what came more than once is a list."""
    seen: dict[str, list[str]] = {}
    for name, value in pairs:
        seen.setdefault(name, []).append(MASK if name in secret_names else value)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in seen.items()}
