"""Connecting to Ray: the running cluster where there is one, else a Ray of our own on this machine.

``RAY_ADDRESS`` (set inside Ray jobs) comes first, then the cluster that ``ray start`` started or joined here, then
our own. Ray's own ``auto`` would also take a Ray that another program started for itself, and die with it.

A run on the CPU needs *logical* resources: verl's controllers and loops each claim a CPU while they mostly wait, and
its worker claims a GPU that stands for the machine. A Ray of our own announces them; a running Ray is joined, for as
long as the session lasts, by a second node on this machine that offers them. Either way the node that has them also
has the resource ``logical_node()``, by which a run finds it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrl.errors import FtrlError
from ftrl.termination import same_handler

START_ATTEMPTS = 3

JOIN_SECONDS = 90
"""How long a second Ray node may take to join."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray is to leave the visible devices of actors without GPUs alone.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A worker process is started when it is needed, not one a logical CPU ahead of time.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # Logical CPUs are many more than cores: this many idle workers are no reason for Ray to warn.
    "RAY_worker_maximum_startup_concurrency": "12",
}

PASSED_ON = ("FTRL_REQUIRE_ISOLATION",)
"""Variables that the workers of a cluster that is joined have to know; those of our own Ray inherit all."""


@dataclass(frozen=True)
class LogicalResources:
    """What a session needs on one node, whatever the machine's own count is."""

    cpus: int
    gpus: int = 0


@contextmanager
def our_errors() -> Iterator[None]:
    """In this block, errors of ours from Ray's workers are raised as they were there, without Ray's account of them."""
    from ray.exceptions import RayTaskError

    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, FtrlError):
            raise error.cause from None
        raise


def logical_node() -> str:
    """Name of the resource of the node that has the logical resources of this process's session."""
    return f"ftrl_{socket.gethostname()}_{os.getpid()}"


@contextmanager
def ray_session(needs: LogicalResources | None = None) -> Iterator[Any]:
    """Ray, connected for the length of the block. A session that is already connected is used as it is.

    Args:
        needs: logical resources without which the work cannot be placed; the machine's own count if left out.

    Yields:
        The module ``ray``.

    Raises:
        FtrlError: the running Ray lets nobody in, or no second node could join it.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        with _second_node(ray, needs):
            yield ray
        return
    _keep_off_stdout()
    with same_handler():
        _join_or_start(ray, needs)
    try:
        with _second_node(ray, needs):
            try:
                yield ray
            finally:
                # Before the second node goes: Ray tells all who are connected when a node leaves.
                ray.shutdown()
    finally:
        ray.shutdown()


def _join_or_start(ray: Any, needs: LogicalResources | None) -> None:
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if (address := running_address()) is not None:
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        _connect(ray, address, {**common, **({"runtime_env": {"env_vars": passed_on}} if passed_on else {})})
    else:
        counts: dict[str, Any] = {}
        if needs is not None:
            counts = {"num_cpus": max(needs.cpus, os.cpu_count() or 1), "num_gpus": needs.gpus or None}
            counts["resources"] = {logical_node(): 1}
        _start(ray, {"include_dashboard": False, **counts, **common})


def _keep_off_stdout() -> None:
    """Have Ray tell of nodes and workers that it has lost on stderr: stdout is for results, and Ray cannot be asked."""
    from ray._private import worker

    original = worker.print_worker_logs

    def print_worker_logs(data: Any, print_file: Any, *more: Any) -> None:
        original(data, sys.stderr if print_file is sys.stdout else print_file, *more)

    if original.__module__ == worker.__name__:
        worker.print_worker_logs = print_worker_logs


def _connect(ray: Any, address: str, options: Mapping[str, Any]) -> None:
    # Ray finds by itself what `ray start` noted on this machine, and only then does it show that cluster its token.
    named = {"address": address} if os.environ.get("RAY_ADDRESS") else {}
    try:
        ray.init(**named, **options)
    except ConnectionError as error:
        raise FtrlError(
            f"the Ray at {address} could not be joined; if it asks for a token, set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN); if it is gone, run `ray stop` or unset RAY_ADDRESS"
        ) from error


def _start(ray: Any, options: dict[str, Any]) -> None:
    """A Ray of our own; on a busy machine its fixed 30 s for starting up may need a second try."""
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            ray.init(address="local", **options)
        except Exception as error:  # Ray raises nothing more specific
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if attempt == START_ATTEMPTS:
                raise FtrlError(
                    f"Ray did not start, since this machine is too busy; try again later ({error})"
                ) from error
        else:
            return


def running_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """The cluster to use: ``RAY_ADDRESS`` as it is, else the one that ``ray start`` noted here, if it answers.

    Args:
        environment: the variables to go by.
    """
    if address := environment.get("RAY_ADDRESS"):
        return address
    folder = environment.get("RAY_TMPDIR") or environment.get("TMPDIR") or "/tmp"
    note = Path(folder) / "ray" / "ray_current_cluster"
    address = note.read_text(encoding="utf-8").strip() if note.is_file() else ""
    # A note that nobody answers to was left behind by a cluster that is gone.
    return address if address and answers(address) else None


def answers(address: str) -> bool:
    """Whether something listens at ``host:port`` or ``ray://host:port``."""
    host, _, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    if not port.isdigit():
        return False
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


@contextmanager
def _second_node(ray: Any, needs: LogicalResources | None) -> Iterator[None]:
    def there() -> bool:
        return logical_node() in ray.cluster_resources()

    if needs is None or there():
        yield
        return
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--address={address}"]
    command += [f"--num-cpus={needs.cpus}", f"--num-gpus={needs.gpus}"]
    command += [f"--resources={json.dumps({logical_node(): 1})}"]
    # A folder of its own: a node that unpacks a job's files takes them from under what runs in the same place, a job's
    # driver for one.
    folder = tempfile.mkdtemp(prefix="ftrl-ray-", dir=os.environ.get("RAY_TMPDIR"))
    command += [f"--temp-dir={folder}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    joined = False
    try:
        deadline = time.monotonic() + JOIN_SECONDS
        while not there():
            if process.poll() is not None or time.monotonic() > deadline:
                raise FtrlError(
                    f"the second node that a run on the CPU needs could not join the Ray at {address}; what it said "
                    f"is in {folder}; or run without that Ray: unset RAY_ADDRESS, ray stop"
                )
            time.sleep(0.5)
        joined = True
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if joined:
            shutil.rmtree(folder, ignore_errors=True)
