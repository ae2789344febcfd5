"""Simulate Google's reCAPTCHA: its script, the checkbox in its frame, the tokens and their verification."""

import secrets
from datetime import UTC, datetime

from portal.simulator import pages, wire
from portal.simulator.wire import Answer, Request, json_answer
from portal.simulator.world import Token, World

TOKEN_LIFETIME = 120
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


def issue(world: World, site_key: str, hostname: str = "localhost", action: str = "") -> str:
    # About as long as Google's, to show where a column or header is too short.
    value = "03A" + secrets.token_urlsafe(450)
    world.tokens[value] = Token(value, site_key, hostname, action, world.now())
    return value


def spend(world: World, site_key: str, value: str) -> str:
    """Use up a token for a site key. Return Google's error code, or "" if the token is valid."""
    token = world.tokens.get(value)
    if token is None or token.site_key != site_key:
        return "invalid-input-response"
    if token.used or world.now() - token.issued > TOKEN_LIFETIME:
        return "timeout-or-duplicate"
    token.used = True
    return ""


def script(world: World, request: Request) -> Answer:
    fault = world.take_fault("api.js")
    if fault and fault.name == "hang":
        return Answer(delivery=wire.hang(fault.released), complete=False)
    return fault.error() if fault else pages.asset("api.js")


def frame(world: World, request: Request) -> Answer:
    """Return the page in the iframe: a checkbox, or Google's error for a wrong key."""
    partner = world.partner_by_site_key(request.parameters().get("k", ""))
    if partner is None:
        return pages.captcha_frame(error="Invalid site key")
    if partner.captcha_kind != "v2-checkbox":
        return pages.captcha_frame(error="Invalid key type")
    return pages.captcha_frame(dark=request.parameters().get("theme") == "dark")


def token(world: World, request: Request) -> Answer:
    """Return a token to the script or the frame after the visitor has passed."""
    form = request.form()
    partner = world.partner_by_site_key(form.get("k", ""))
    if partner is None:
        return json_answer(400, {"error": "Invalid site key"}, ANY_ORIGIN)
    if partner.captcha_kind != form.get("kind"):
        return json_answer(400, {"error": "Invalid key type"}, ANY_ORIGIN)
    with world.lock:
        value = issue(world, partner.site_key, form.get("hostname", ""), form.get("action", ""))
    return json_answer(200, {"token": value}, ANY_ORIGIN)


def siteverify(world: World, request: Request) -> Answer:
    fault = world.take_fault("siteverify")
    if fault and fault.name != "refuse":
        return fault.answer(lambda: verify(world, request))
    return verify(world, request, refuse=fault is not None)


def verify(world: World, request: Request, refuse: bool = False) -> Answer:
    form = request.form()
    with world.lock:
        problem = "timeout-or-duplicate" if refuse else verification_problem(world, form)
        fields = {name: form.get(name, "") for name in ("secret", "response", "remoteip")}
        world.verifications.append({**fields, "success": not problem})
        if problem:
            return json_answer(200, {"success": False, "error-codes": [problem]})
        return json_answer(200, success(world, world.tokens[form["response"]]))


def verification_problem(world: World, form: dict[str, str]) -> str:
    if not form.get("secret"):
        return "missing-input-secret"
    partner = next((p for p in world.partners.values() if p.secret_key == form["secret"]), None)
    if partner is None:
        return "invalid-input-secret"
    if not form.get("response"):
        return "missing-input-response"
    return spend(world, partner.site_key, form["response"])


def success(world: World, token: Token) -> dict[str, object]:
    issued = datetime.fromtimestamp(token.issued, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    data: dict[str, object] = {"success": True, "challenge_ts": issued, "hostname": token.hostname}
    partner = world.partner_by_site_key(token.site_key)
    if partner and partner.captcha_kind == "v3":
        data |= {"score": 0.9, "action": token.action}
    return data
