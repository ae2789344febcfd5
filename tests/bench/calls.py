"""What our client adds to a call of the carrier."""

import statistics
import time
from datetime import date

import requests

from portal.voipline import Carrier, Secret, call
from tests.bench.report import Line, Report
from tests.bench.world import World

ROUNDS = 300
QUERY = "get-customer-balance?from_date=2020-01-01&to_date=2020-01-31&account_number=70001"
KEY = "aurora-api-key"


def measure(world: World, report: Report) -> None:
    """A call by our client and one by requests alone, in turns."""
    carrier = Carrier(world.carrier.api, Secret(KEY))
    month = {"account_number": "70001", "from_date": date(2020, 1, 1), "to_date": date(2020, 1, 31)}
    ours, plain = [], []
    for number in range(ROUNDS + 10):
        began = time.perf_counter()
        requests.get(world.carrier.api + QUERY, headers={"token": KEY}, timeout=5).json()
        middle = time.perf_counter()
        call(carrier, "customer_balance", **month)
        ended = time.perf_counter()
        if number >= 10:
            plain.append(middle - began)
            ours.append(ended - middle)
    added = (statistics.median(ours) - statistics.median(plain)) * 1000
    how = (
        "The stand-in carrier on this machine, a new connection for each call, in turns with `requests.get`."
    )
    report.add(
        "A call to the carrier",
        how,
        [
            Line("requests.get", f"{statistics.median(plain) * 1000:.2f} ms"),
            Line("our client", f"{statistics.median(ours) * 1000:.2f} ms"),
            Line("added at the median", f"{added:.2f} ms", "≤ 5 ms", added <= 5),
        ],
    )
