"""Connecting to Ray: the running cluster where there is one, else a Ray of our own on this machine.

``RAY_ADDRESS`` (set inside Ray jobs), then a Ray started on this machine by ``ray start --head``, then our own.
A Ray of our own gets *logical* CPUs: its actors are many and mostly wait, so they are counted generously.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

OWN_LOGICAL_CPUS = 16
"""Logical CPUs of a Ray of our own; verl's controllers, workers and loops each claim one."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@contextmanager
def ray_session(
    *, env_vars: Mapping[str, str] | None = None, logical_gpus: int | None = None, log_to_driver: bool = False
) -> Iterator[Any]:
    """Ray, connected for the length of the block. A session that is already connected is used as it is.

    Args:
        env_vars: environment variables of every worker of this session.
        logical_gpus: GPUs to announce when Ray is started here; Ray counts the real ones if left out.
        log_to_driver: whether the workers' output is shown.

    Yields:
        The module ``ray``.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": dict(env_vars or {})},
        "log_to_driver": log_to_driver,
        "logging_level": logging.ERROR,
        "ignore_reinit_error": False,
    }
    try:
        ray.init(address="auto", **common)
    except ConnectionError:
        ray.init(
            address="local",
            num_cpus=max(OWN_LOGICAL_CPUS, os.cpu_count() or 1),
            num_gpus=logical_gpus,
            include_dashboard=False,
            **common,
        )
    try:
        yield ray
    finally:
        ray.shutdown()
