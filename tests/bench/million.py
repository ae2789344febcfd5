"""The same queries with one customer and with a million, and the admin's list of them."""

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
    "customer list, search for an address": "/admin/accounts/user/?q=customer777777@example.com",
    "customer list, search for an account number": "/admin/accounts/user/?q=1677777",
}


def measure(world: World, report: Report) -> None:
    """Ask with one customer, then with a million more."""
    few = asked(world)
    python(environment(world), "-m", "tests.bench.seed", "million")
    many = asked(world)
    found = [
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
        found.append(
            Line(
                f"admin, {name}", figure, "< 10, < 300 ms", many[name]["queries"] < 10 and milliseconds < 300
            )
        )
    how = """Without the network, on PostgreSQL: with a few customers, and with a million more. The brand is
known, as it is for a second after somebody came; whoever comes later costs one query more."""
    report.add("A million customers", how, found)


def asked(world: World) -> dict[str, dict[str, float]]:
    """Name → queries, and seconds of five tries, by a process with the portal's settings."""
    wanted = {name: [path, who] for name, (path, who, _) in PAGES.items()}
    wanted |= {name: [path, "operator"] for name, path in LISTS.items()}
    return dict(
        json.loads(
            python(
                environment(world),
                "-m",
                "tests.bench.count_queries",
                json.dumps(wanted),
                json.dumps(world.cookies),
            )
        )
    )
