"""How many pages a second the portal makes, against a bare Django project on the same server."""

import statistics
from contextlib import AbstractContextManager, ExitStack

from tests.bench.client import CLIENTS, Page, rates, ratio
from tests.bench.report import Line, Report
from tests.bench.stack import GUNICORN, Server, World, environment, python, server
from tests.support.ports import free_port

ROUNDS, SECONDS = 15, 1.0
HOW = f"""Pages a second of two workers, asked for by {CLIENTS} clients, each of which asks again at once, on
a new connection each time; {ROUNDS} rounds of {SECONDS:g} s for each page in turn. The reference is the least
that a Django project shows: Django's own middleware, a base template, a small navigation, a table of seven
rows, and for somebody signed in their session, their name and a form to sign out; on the same server with
the same settings, and on PostgreSQL too (tests/bench/reference.py). A ratio is the median of the rounds'
ratios to the reference, so 1.0 is as fast. The clients are on the same cores, and take their part of each
figure."""

SIGNED_IN, SIGNED_OUT = "reference: small page, signed in", "reference: small page, signed out"
PAGES = {  # Name → address, who asks, the reference, the least ratio.
    "statement, signed in, kept figures": ("/statement/", "customer", SIGNED_IN, 0.5),
    "balance, signed in, kept figures": ("/", "customer", SIGNED_IN, None),
    "history, signed in, kept figures": ("/history/", "customer", SIGNED_IN, None),
    "sign-up form": ("/sign-up/", "", SIGNED_OUT, 0.6),
    "sign-in form": ("/sign-in/", "", SIGNED_OUT, None),
    "welcome page": ("/", "", SIGNED_OUT, None),
}
# What of gunicorn's settings says how fast it is.
_NAMES = ["workers", "threads", "worker_class", "timeout", "graceful_timeout", "keepalive", "SWITCH_SECONDS"]
_TELL = (
    f"import json; from portal import gunicorn; print(json.dumps({{n: vars(gunicorn)[n] for n in {_NAMES}}}))"
)


def measure(world: World, report: Report) -> None:
    """Start both, and compare."""
    with ExitStack() as stack:
        env = environment(world, BIND=f"127.0.0.1:{free_port()}")
        portal = stack.enter_context(server(env, [*GUNICORN, "portal.wsgi"], "/healthz")).port
        plain = stack.enter_context(_reference(world)).port
        wanted = {
            "reference: bare view": Page(plain, "/bare/"),
            SIGNED_IN: Page(plain, "/small/", f"sessionid={world.cookies['reference']}"),
            SIGNED_OUT: Page(plain, "/small/"),
        }
        for name, (path, who, _base, _bar) in PAGES.items():
            wanted[name] = Page(portal, path, f"session={world.cookies[who]}" if who else "")
        taken = rates(wanted, ROUNDS, SECONDS)
    report.add("Pages", HOW, lines(taken))


def _reference(world: World) -> AbstractContextManager[Server]:
    env = environment(world, BIND=f"127.0.0.1:{free_port()}")
    env["SAME"] = python(env, "-c", _TELL)
    env |= {"DATABASE_URL": world.reference, "DJANGO_SETTINGS_MODULE": ""}
    command = [
        "-m",
        "gunicorn",
        "-c",
        "tests/bench/reference_gunicorn.py",
        "--bind",
        env["BIND"],
        "--no-control-socket",
    ]
    return server(env, [*command, "tests.bench.reference"], "/bare/")


def lines(taken: dict[str, list[float]]) -> list[Line]:
    """Each median; and the ratios, with what is promised of two."""
    found = []
    for name, each in taken.items():
        figure = f"{statistics.median(each):.0f} a second"
        if name not in PAGES:
            found.append(Line(name, figure))
            continue
        _path, _who, base, bar = PAGES[name]
        measured = ratio(each, taken[base])
        met = None if bar is None else measured >= bar
        found.append(Line(name, f"{figure}, ratio {measured:.2f}", f"ratio ≥ {bar:.2f}" if bar else "", met))
    return found
