"""What a page and a carrier call cost here, as ratios within one run: `python -m tests.bench [rounds]`.

In one process, on SQLite in memory, against the stand-in carrier; rounds are interleaved, so that a machine
that slows down slows all. Nothing is said about a network, nor about many visitors at once.
"""
# ruff: noqa: E402 - Django must be set up before its models can be imported.

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": "sqlite:///:memory:"}

import django

django.setup()

import requests
from django.contrib.auth.decorators import login_not_required
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from accounts.models import User
from portal import urls
from portal.crypto import seal
from portal.models import Brand
from portal.voipline import Carrier, Secret, call
from tests.conftest import AURORA, Simulator, start_simulator, stop_simulator

MONTH = {"account_number": "70001", "from_date": date(2020, 1, 1), "to_date": date(2020, 1, 31)}
JANUARY = "?from_date=2020-01-01&to_date=2020-01-31"
KEY = "aurora-api-key"
BRAND = {"slug": "aurora", "name": "Aurora Phone", "currency": "AUD", "timezone": "Australia/Sydney"}


@login_not_required
def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")  # What it costs is Django, our middleware and the brand's query.


def prepare(simulator: Simulator) -> Client:
    call_command("migrate", verbosity=0)
    urls.urlpatterns.append(path("bench/bare/", bare))
    brand = Brand.objects.create(**BRAND, carrier_url=simulator.api, carrier_key=seal(KEY))
    brand.hosts.create(host=AURORA)
    user = User.objects.create(brand=brand, email="alice@example.com", account_number="70001", password="!")
    client = Client(headers={"host": AURORA})
    client.force_login(user)
    (session := client.session)["realm"] = f"brand-{brand.pk}"
    session.save()
    return client


def contestants(simulator: Simulator, client: Client) -> dict[str, Callable[[], object]]:
    stranger = Client(headers={"host": AURORA})
    url = f"{simulator.api}get-customer-balance{JANUARY}&account_number=70001"
    return {
        "page: bare view": lambda: stranger.get("/bench/bare/"),
        "page: welcome": lambda: stranger.get("/"),
        "page: sign-up": lambda: stranger.get("/sign-up/"),
        "page: signed-in statement": lambda: client.get(f"/statement/{JANUARY}"),
        "call: requests.get": lambda: requests.get(url, headers={"token": KEY}, timeout=5).json(),
        "call: voipline.call": lambda: call(Carrier(simulator.api, Secret(KEY)), "customer_balance", **MONTH),
    }


def measure(wanted: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(rounds + 3):  # The first three warm up.
        for name, run in wanted.items():
            began = time.perf_counter()
            status = getattr(run(), "status_code", 200)
            taken[name] += [time.perf_counter() - began] if number >= 3 else []
            assert status == 200, name
    return taken


def main(rounds: int) -> None:
    process, simulator = start_simulator()
    try:
        taken = measure(contestants(simulator, prepare(simulator)), rounds)
    finally:
        stop_simulator(process)
    base: dict[str, float] = {}
    print(
        f"medians (quartiles) in ms of {rounds} interleaved rounds, and the ratio to the first of the group"
    )
    for name, seconds in taken.items():
        low, median, high = (1000 * value for value in statistics.quantiles(seconds, n=4))
        ratio = median / base.setdefault(name.partition(":")[0], median)
        print(f"{name:<28} {median:7.2f}  ({low:.2f} – {high:.2f})  {ratio:5.1f} ×")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
