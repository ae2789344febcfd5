"""Compare queries with few and with a million customers, and time the admin's customer list."""

import json
import statistics

from tests.bench.report import Line, Report
from tests.bench.stack import World, environment, python

PAGES = {
    "statement, signed in": ("/statement/", "customer", 5),
    "balance, signed in": ("/", "customer", 5),
    "sign-up form": ("/sign-up/", "", 1),
    "welcome page": ("/", "", 1),
}
LISTS = {
    "customer list": "/admin/accounts/user/",
    "customer list of customers, page 2": "/admin/accounts/user/?kind=customer&p=2",
    "customer list, search for an email": "/admin/accounts/user/?q=customer777777@example.com",
    "customer list, search for an account number": "/admin/accounts/user/?q=1677777",
}


def measure(world: World, report: Report) -> None:
    """Measure with few customers, then with a million more."""
    few = count_queries(world)
    python(environment(world), "-m", "tests.bench.seed", "million")
    many = count_queries(world)
    report_lines = [
        Line(
            f"queries of {name}",
            f"{few[name]['queries']} and {many[name]['queries']}",
            f"≤ {most}, the same",
            many[name]["queries"] <= most and few[name]["queries"] == many[name]["queries"],
        )
        for name, (_, _, most) in PAGES.items()
    ]
    for name in LISTS:
        milliseconds = statistics.median(many[name]["seconds"]) * 1000
        figure = f"{many[name]['queries']} queries, {milliseconds:.0f} ms"
        report_lines.append(
            Line(
                f"admin, {name}", figure, "< 10, < 300 ms", many[name]["queries"] < 10 and milliseconds < 300
            )
        )
    how = """Without the network, on PostgreSQL: with a few customers, and with a million more. The brand is
cached, as it is for a second after a request; otherwise a page costs one more query."""
    report.add("A million customers", how, report_lines)


def count_queries(world: World) -> dict[str, dict[str, float]]:
    """Return name → queries, and seconds of five requests, in a process with the portal's settings."""
    pages = {name: [path, role] for name, (path, role, _) in PAGES.items()}
    pages |= {name: [path, "operator"] for name, path in LISTS.items()}
    return dict(
        json.loads(
            python(
                environment(world),
                "-m",
                "tests.bench.count_queries",
                json.dumps(pages),
                json.dumps(world.cookies),
            )
        )
    )
