"""Print the milliseconds of a carrier call made in three ways, with the portal's settings."""
# ruff: noqa: E402 - Django must be set up before it can be used.

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"

import django

django.setup()

import requests

from portal.carrier import calls as carrier_calls
from portal.models import Brand
from portal.voipline import Carrier, Reach, Secret, call

ROUNDS = 300
QUERY = "get-customer-balance?from_date=2020-01-01&to_date=2020-01-31&account_number=70001"
KEY = "aurora-api-key"


def medians(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median milliseconds of each way, measured in turns."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 10):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            samples[name] += [time.perf_counter() - began] if number >= 10 else []
    return {name: statistics.median(each) * 1000 for name, each in samples.items()}


def main(api: str) -> None:
    brand, carrier = Brand.objects.get(), Carrier(api, Secret(KEY), reach=Reach(loopback=True))
    month = {"account_number": "70001", "from_date": date(2020, 1, 1), "to_date": date(2020, 1, 31)}
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: requests.get(api + QUERY, headers={"token": KEY}, timeout=5).json(),
        "client": lambda: call(carrier, "customer_balance", **month),
        "whole": lambda: carrier_calls.call(brand=brand, method="customer_balance", **month),
    }
    print(json.dumps(medians(ways)))


main(sys.argv[1])
