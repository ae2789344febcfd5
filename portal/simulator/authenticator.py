"""Simulate the authenticator app on a phone: store keys and show their codes (RFC 6238)."""

import base64
import binascii
import hmac
import struct
import time
from html import escape

from portal.simulator import pages, schema
from portal.simulator.wire import Answer, Request
from portal.simulator.world import World

STEP, DIGITS = 30, 6


def add(world: World, value: object) -> dict[str, object]:
    """Add an entry, as if its QR code had been scanned. It replaces an entry of the same name."""
    given = schema.members(value, "authenticator", {"name": str, "key": str}, ("name", "key"))
    try:
        base64.b32decode(given["key"])
    except binascii.Error as error:
        raise schema.InvalidInput("key: not base32") from error
    world.authenticators[given["name"]] = given["key"]
    return {}


def list_codes(world: World, query: dict[str, str]) -> list[dict[str, object]]:
    schema.members(query, "query", {})
    return [
        {"name": name, "code": code(key), "seconds": seconds_left()}
        for name, key in world.authenticators.items()
    ]


def code(key: str) -> str:
    counter = struct.pack(">Q", int(time.time()) // STEP)
    digest = hmac.digest(base64.b32decode(key), counter, "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def seconds_left() -> int:
    return STEP - int(time.time()) % STEP


def page(world: World, request: Request) -> Answer:
    seconds = seconds_left()
    with world.lock:
        rows = "".join(
            f'<tr><td>{escape(name)}</td><td class="digits">{code(key)}</td></tr>'
            for name, key in world.authenticators.items()
        )
    table = pages.table(("For", "Code"), rows) if rows else "<p>No app has been set up yet.</p>"
    return pages.page(
        "Authenticator",
        "<p>A stand-in for the app on your phone. In reality nobody but its owner sees these codes.</p>\n"
        f"{table}\n"
        f"<p>The codes change in {seconds} seconds, and this page with them. Each is good once: to sign in "
        "twice within half a minute, wait for the next.</p>\n"
        '<p><a href="/authenticator/new">Set up an app with a key that the admin shows</a></p>',
        headers={"Refresh": str(seconds)},
    )


def form(problem: str = "") -> Answer:
    message = f'<p class="problem">{escape(problem)}</p>' if problem else ""
    return pages.page(
        "Set up an app",
        f'<form method="post" action="/authenticator/new">{message}'
        '<p><label for="name">For</label> <input id="name" name="name" required></p>\n'
        '<p><label for="key">Key that the admin shows</label> <input id="key" name="key" required></p>\n'
        "<p><button>Set up</button></p></form>",
        400 if problem else 200,
    )


def add_from_form(world: World, request: Request) -> Answer:
    """Add an entry from the page's form. The key may be typed in groups."""
    fields = request.form()
    entry = {"name": fields.get("name", ""), "key": "".join(fields.get("key", "").upper().split())}
    try:
        with world.lock:
            add(world, entry)
    except schema.InvalidInput as error:
        return form(str(error))
    return Answer(303, headers={"Location": "/authenticator/"})
