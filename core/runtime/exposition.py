"""Prometheus metrics, made of facts when they are asked for: nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Row = tuple[tuple[str, ...], float]
"""Values of the labels, and the metric's value."""


class _Given(Collector):
    """Gives the metrics of one moment to a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def text_of(families: Iterable[Metric]) -> bytes:
    """Return metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(families))
    return generate_latest(registry)


class Maker:
    """Makes metrics whose names begin alike.

    Parameters
    ----------
    prefix
        Begins each name: ``seiren_agent_``.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def gauge(self, name: str, text: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
        """Return a gauge with its values."""
        family = GaugeMetricFamily(self._prefix + name, text, labels=labels)
        for values, value in rows:
            family.add_metric(values, value)
        return family

    def counter(self, name: str, text: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
        """Return a counter with its values; its name gets ``_total``."""
        family = CounterMetricFamily(self._prefix + name, text, labels=labels)
        for values, value in rows:
            family.add_metric(values, value)
        return family
