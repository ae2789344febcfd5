"""Answer the carrier's API: record the request, check key and IP address, and run the method."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from portal.simulator import error_formats, methods, recaptcha, request_parser
from portal.simulator.dialect import Method
from portal.simulator.request_parser import RawParameters, Rejection, Values
from portal.simulator.wire import Answer, Request, json_answer
from portal.simulator.world import Partner, World

MASK = "•••"


def is_api_request(world: World, request: Request) -> bool:
    """Return True if a request is for the carrier's API: by its path, or because it sends a key."""
    is_api_path = request.path.startswith("/api/") or world.dialect.find(request.path) is not None
    return is_api_path or ("token" in request.headers and not request.path.startswith("/elsewhere"))


def answer(world: World, request: Request) -> Answer:
    method, number = world.dialect.find(request.path) or (None, None)
    raw = request_parser.parse_parameters(request)
    with world.lock:
        call = record_call(world, request, method, raw)

    def work() -> Answer:
        with world.lock:
            return process(world, request, method, number, raw, call)

    fault = world.take_fault(method.key, "*") if method else None
    call["fault"] = fault.name if fault else None
    raw.factor = Decimal(fault.factor) if fault else raw.factor
    response = fault.answer(work) if fault else work()
    call["status"] = response.status if response.complete else None
    return response


def process(
    world: World,
    request: Request,
    method: Method | None,
    number: str | None,
    raw: RawParameters,
    call: dict[str, Any],
) -> Answer:
    partner = None
    try:
        if method is None:
            raise Rejection(404, "Not found")
        partner = authorise(world, request)
        if request.verb != method.verb:
            raise Rejection(405, "Method not allowed")
        values = request_parser.values(raw, method, partner, number)
        values.amount *= raw.factor
        spend_captcha(world, method, partner, values)
        data = methods.HANDLERS[method.key](world, method, partner, values)
    except Rejection as rejection:
        return reject(world, partner, rejection)
    call["worked"] = True
    return error_formats.SUCCESS[world.dialect.manners](method, data)


def authorise(world: World, request: Request) -> Partner:
    """Return the key's partner. A wrong key and an unlisted IP address get the same answer."""
    partner = key_owner(world, request)
    if partner is None or request.peer not in partner.ips:
        raise Rejection(401, "Not authorised", "not_authorised")
    return partner


def key_owner(world: World, request: Request) -> Partner | None:
    keys = request.headers.get_all("token", [])
    return world.partners.get(keys[0]) if len(keys) == 1 else None


def spend_captcha(world: World, method: Method, partner: Partner, values: Values) -> None:
    if method.verb == "POST" and recaptcha.spend(world, partner.site_key, values.text["google_captcha"]):
        raise Rejection(422, {method.theirs("google_captcha"): ["timeout-or-duplicate"]}, "captcha_failed")


def reject(world: World, partner: Partner | None, rejection: Rejection) -> Answer:
    code = world.dialect.codes.get(rejection.reason)
    if code is not None:
        return json_answer(200, {"code": code, "message": rejection.in_words})
    answer = error_formats.REFUSAL[world.dialect.manners](rejection)
    return replace(answer, status=200) if partner and partner.codes_in_body else answer


def record_call(world: World, request: Request, method: Method | None, raw: RawParameters) -> dict[str, Any]:
    owner = key_owner(world, request)
    secret_names = {"password", method.theirs("password") if method else "password"}
    call: dict[str, Any] = {
        "method": method.key if method else None,
        "verb": request.verb,
        "path": request.path,
        "query": readable(raw.query, secret_names),
        "fields": readable(raw.fields, secret_names),
        "body_kind": raw.body_kind,
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
    """Return the pairs as received, with passwords masked and repeated names as lists."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(MASK if name in secret_names else value)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in values.items()}
