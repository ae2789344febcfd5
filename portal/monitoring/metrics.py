"""Metrics for Prometheus: counters, durations, and gauges that are computed when Prometheus reads them.

With several worker processes the numbers are in files of a temporary folder, which `portal.gunicorn` sets
before this module is imported. No label has a value that a visitor can choose.
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
# The most recent value of all processes counts: one opens its breaker, or another gets an answer.
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
    """A gauge whose values are computed when it is read."""

    def __init__(
        self, name: str, documentation: str, labels: Iterable[str], get_values: Callable[[], Values]
    ) -> None:
        self._name, self._documentation = name, documentation
        self._labels, self._get_values = tuple(labels), get_values

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        try:
            values = self._get_values()
        except Exception as error:  # A database outage, for example, must not hide the other metrics.
            logger.error("metric not known", extra={"metric": self._name, "error": type(error).__name__})
            return
        for labels, value in values.items():
            family.add_metric(labels, value)
        yield family


_CALLBACK_GAUGES = CollectorRegistry()


def gauge_from(
    name: str, documentation: str, labels: Iterable[str], get_values: Callable[[], Values]
) -> None:
    """Add a gauge. `get_values` returns its values by their labels and may query the database."""
    _CALLBACK_GAUGES.register(_CallbackGauge(name, documentation, labels, get_values))


def text() -> str:
    """Return all metrics of all worker processes in Prometheus' text format."""
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return (generate_latest(registry) + generate_latest(_CALLBACK_GAUGES)).decode().rstrip("\n")
