"""What a node's Ray tells Prometheus of us, read as Prometheus would."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

Told = dict[str, dict[tuple[str, ...], float]]
"""Exported name → values of our tags, in the order in which they are declared → sum over the processes."""


@contextmanager
def watched_ray() -> Iterator[Any]:
    """A Ray of our own, as a run's own is, but that it exports every second instead of every ten."""
    import ray

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=4,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _system_config={"metrics_report_interval_ms": 1000},
        )
        try:
            yield ray
        finally:
            ray.shutdown()


def told(ray: Any) -> Told:
    """All of ours on the node of the connected Ray."""
    from ftrl.telemetry import METRICS

    (node,) = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    tags = {metric.exported: (*metric.tags, *(["le"] * metric.exported.endswith("_bucket"))) for metric in METRICS}
    found: Told = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in tags:
                found[sample.name][tuple(sample.labels[tag] for tag in tags[sample.name])] += sample.value
    return found


def told_until(
    ray: Any, holds: Callable[[Told], bool], again: Callable[[], object] = lambda: None, seconds: float = 120
) -> Told:
    """What is told once this holds, or in the end if it never does: Ray exports at intervals.

    Args:
        ray: connected.
        holds: whether it is what the test waits for.
        again: done before each look; sets gauges, which Ray forgets.
        seconds: to wait at most.
    """
    deadline = time.monotonic() + seconds
    while True:
        again()
        try:
            found = told(ray)
        except (urllib.error.URLError, ConnectionError):  # the node's agent is still starting
            found = defaultdict(dict)
        if holds(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
