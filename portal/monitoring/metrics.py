"""What Prometheus is told: counters and times as they happen, and states asked for when it asks.

With several worker processes the numbers are in files of a temporary folder, which `portal.gunicorn` names
before this module is imported. No label holds anything that a visitor can choose.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

REQUESTS = Counter("portal_requests", "Answered requests.", ("route", "method", "status"))
SECONDS = Histogram(
    "portal_request_seconds",
    "From a request's arrival in the portal to its answer.",
    ("route",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
CALLS = Counter(
    "portal_carrier_calls", "Calls to carriers, those spared too.", ("brand", "method", "outcome")
)
CALL_SECONDS = Histogram(
    "portal_carrier_call_seconds",
    "Calls to carriers that were made.",
    ("brand", "method"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
WAITING = Gauge(
    "portal_threads_waiting", "Worker threads that wait on others.", ("on",), multiprocess_mode="livesum"
)
# Of all processes the last word holds: one opens its breaker, or a call of another is answered.
BREAKER_OPEN = Gauge(
    "portal_breaker_open",
    "1 since a brand's carrier was left alone, until it answers.",
    ("brand",),
    multiprocess_mode="mostrecent",
)
LIMITED = Counter("portal_limits_hit", "Requests refused by a limit.", ("action",))
MAILS_FAILED = Counter("portal_mails_failed", "Mails that the mail server did not take.", ("brand",))

Values = Mapping[tuple[str, ...], float]


class _CallbackGauge(Collector):
    """A gauge whose values are asked for when somebody reads it."""

    def __init__(self, name: str, words: str, labels: Iterable[str], ask: Callable[[], Values]) -> None:
        self._about = (name, words)
        self._labels, self._ask = tuple(labels), ask

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(*self._about, labels=self._labels)
        try:
            values = self._ask()
        except Exception as error:  # A database that is down, say, must not take the other numbers with it.
            told = {"metric": self._about[0], "error": type(error).__name__}
            logger.error("metric not known", extra=told)
            return
        for labels, value in values.items():
            family.add_metric(labels, value)
        yield family


_STATES = CollectorRegistry()


def gauge_from(name: str, words: str, labels: Iterable[str], ask: Callable[[], Values]) -> None:
    """Add a gauge; `ask` gives its values by their labels, and may ask the database."""
    _STATES.register(_CallbackGauge(name, words, labels, ask))


def text() -> str:
    """Everything, of all worker processes, in Prometheus' text format."""
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return (generate_latest(registry) + generate_latest(_STATES)).decode().rstrip("\n")
