"""Measure how many pages per second the portal serves, compared with a bare Django project."""

import statistics
from contextlib import AbstractContextManager, ExitStack

from tests.bench.client import CLIENTS, Page, rates, ratio
from tests.bench.report import Line, Report
from tests.bench.stack import GUNICORN, Server, World, environment, python, server
from tests.support.ports import free_port

ROUNDS, SECONDS = 15, 1.0
HOW = f"""Pages per second of two workers, requested by {CLIENTS} clients one page after another, on a new
connection each time; {ROUNDS} rounds of {SECONDS:g} s for each page in turn. The reference is a minimal
Django project: Django's own middleware, a base template, a small navigation, a table of seven rows, and for a
signed-in user their session, name and a sign-out form; on the same server with the same settings, and on
PostgreSQL too (tests/bench/reference.py). A ratio is the median of the rounds' ratios to the reference, so
1.0 is equally fast. The clients run on the same cores and take part of each figure."""

SIGNED_IN, SIGNED_OUT = "reference: small page, signed in", "reference: small page, signed out"
PAGES = {  # Name → (path, role, reference, minimum ratio).
    "statement, signed in, cached figures": ("/statement/", "customer", SIGNED_IN, 0.5),
    "balance, signed in, cached figures": ("/", "customer", SIGNED_IN, None),
    "history, signed in, cached figures": ("/history/", "customer", SIGNED_IN, None),
    "sign-up form": ("/sign-up/", "", SIGNED_OUT, 0.6),
    "sign-in form": ("/sign-in/", "", SIGNED_OUT, None),
    "welcome page": ("/", "", SIGNED_OUT, None),
}
# Settings of gunicorn that affect its speed.
_NAMES = ["workers", "threads", "worker_class", "timeout", "graceful_timeout", "keepalive", "SWITCH_SECONDS"]
_TELL = (
    f"import json; from portal import gunicorn; print(json.dumps({{n: vars(gunicorn)[n] for n in {_NAMES}}}))"
)


def measure(world: World, report: Report) -> None:
    """Start both servers and compare them."""
    with ExitStack() as stack:
        env = environment(world, BIND=f"127.0.0.1:{free_port()}")
        portal = stack.enter_context(server(env, [*GUNICORN, "portal.wsgi"], "/healthz")).port
        reference = stack.enter_context(_reference(world)).port
        measured_pages = {
            "reference: bare view": Page(reference, "/bare/"),
            SIGNED_IN: Page(reference, "/small/", f"sessionid={world.cookies['reference']}"),
            SIGNED_OUT: Page(reference, "/small/"),
        }
        for name, (path, role, _base, _bar) in PAGES.items():
            measured_pages[name] = Page(portal, path, f"session={world.cookies[role]}" if role else "")
        samples = rates(measured_pages, ROUNDS, SECONDS)
    report.add("Pages", HOW, lines(samples))


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


def lines(samples: dict[str, list[float]]) -> list[Line]:
    """Return lines with each median, and each ratio, two of them with a bar."""
    found = []
    for name, each in samples.items():
        figure = f"{statistics.median(each):.0f} per second"
        if name not in PAGES:
            found.append(Line(name, figure))
            continue
        _path, _role, base, bar = PAGES[name]
        measured = ratio(each, samples[base])
        met = None if bar is None else measured >= bar
        found.append(Line(name, f"{figure}, ratio {measured:.2f}", f"ratio ≥ {bar:.2f}" if bar else "", met))
    return found
