"""What pages cost, against a bare Django project on the same server."""

import statistics
from contextlib import ExitStack

from tests.bench.client import get
from tests.bench.report import Line, Report
from tests.bench.world import GUNICORN, World, environment, server
from tests.browser.stack import _free_port

ROUNDS = 150
HOW = """The reference is the least that a Django project shows: Django's own middleware, a base template, a
small navigation, a form to sign out and a table of seven rows, or for a stranger a form of two fields; on the
same server with the same settings, and on PostgreSQL too (tests/bench/reference.py). A ratio is the
reference's time by the page's, so 1.0 is as fast."""


def measure(world: World, report: Report) -> None:
    """Start both, and compare."""
    with ExitStack() as stack:
        env = environment(world, BIND=f"127.0.0.1:{_free_port()}")
        portal = stack.enter_context(server(env, [*GUNICORN, "portal.wsgi"], "/healthz"))
        env = env | {
            "BIND": f"127.0.0.1:{_free_port()}",
            "DATABASE_URL": world.reference,
            "DJANGO_SETTINGS_MODULE": "",
        }
        command = [
            "-m",
            "gunicorn",
            "-c",
            "tests/bench/same.py",
            "--no-control-socket",
            "tests.bench.reference",
        ]
        plain = stack.enter_context(server(env, command, "/bare/"))
        signed_in, known = f"session={world.cookies['customer']}", f"sessionid={world.cookies['reference']}"
        wanted = {
            "reference: bare view": (plain.port, "/bare/", ""),
            "reference: small page, signed in": (plain.port, "/small/", known),
            "reference: small page, signed out": (plain.port, "/form/", ""),
            "statement, signed in, kept figures": (portal.port, "/statement/", signed_in),
            "balance, signed in, kept figures": (portal.port, "/", signed_in),
            "sign-up form": (portal.port, "/sign-up/", ""),
            "welcome page": (portal.port, "/", ""),
            "/healthz": (portal.port, "/healthz", ""),
        }
        taken = rounds(wanted)
    report.add("Pages", HOW, lines({name: statistics.median(each) for name, each in taken.items()}))


def rounds(wanted: dict[str, tuple[int, str, str]]) -> dict[str, list[float]]:
    """Seconds of each, in interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(ROUNDS + 20):  # The first warm up, in each worker.
        for name, (port, path, cookie) in wanted.items():
            status, seconds, _ = get(port, path, cookie)
            if status != 200:
                raise SystemExit(f"{name}: {status}")
            taken[name] += [seconds] if number >= 20 else []
    return taken


def lines(median: dict[str, float]) -> list[Line]:
    """Each median, and what is promised of two."""
    signed_in, signed_out = (median[f"reference: small page, signed {how}"] for how in ("in", "out"))
    found = []
    for name, seconds in median.items():
        base = signed_in if "signed in" in name else signed_out
        ratio = "" if "reference" in name or name == "/healthz" else f", ratio {base / seconds:.2f}"
        bar = name.startswith(("statement", "sign-up"))
        met = base / seconds >= 0.6 if bar else None
        found.append(Line(name, f"{seconds * 1000:.2f} ms{ratio}", "ratio ≥ 0.60" if bar else "", met))
    return found
