"""Which layers of isolation this machine grants, and how much of it somebody may insist on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum

from ftrl.errors import FtrlError, InputError
from ftrl.sandbox.calls import Limits
from ftrl.sandbox.worker_process import LayerReport, WorkerFailure, WorkerProcess

REQUIRED = "FTRL_REQUIRE_ISOLATION"
"""Environment variable that names the level below which no sandbox starts, here and in the workers of a cluster."""


class Isolation(str, Enum):
    """How well tools are kept away from the machine; each level has the layers of those before it."""

    PROCESS = "process"
    """A process of its own with limits and an empty environment, killed when its time is up; any system has these."""
    KERNEL = "kernel"
    """And the kernel refuses what no tool needs: system calls, privileges, files."""
    FULL = "full"
    """And it sees nothing of the machine: processes, network, mounts and root folder are its own."""


_LAYERS = {
    Isolation.PROCESS: ("kill at the time limit", "empty environment", "limits"),
    Isolation.KERNEL: ("no new privileges", "no capabilities", "system call filter", "Landlock"),
    Isolation.FULL: (
        "PID namespace",
        "mount namespace",
        "network namespace",
        "IPC namespace",
        "own root folder",
        "death with the main process",
    ),
}


def isolation_report() -> list[LayerReport]:
    """The layers that hold in a worker started here and now, and why the others do not.

    Raises:
        FtrlError: a worker process cannot be started here.
    """
    try:
        worker = WorkerProcess(Limits(), legacy_namespace=False)
    except WorkerFailure as failure:
        raise FtrlError(f"the sandbox cannot start: {failure}") from failure
    worker.release()
    return worker.layers


def missing_for(level: Isolation, layers: Sequence[LayerReport]) -> list[str]:
    """What keeps these layers from being of that level: each missing layer, and why it is missing."""
    by_name = {layer.name: layer for layer in layers}
    missing = []
    for each in Isolation:
        for name in _LAYERS[each]:
            layer = by_name.get(name)
            if layer is None or not layer.active:
                missing.append(f"{name} ({layer.why_not if layer is not None else 'not tried, for want of another'})")
        if each is level:
            break
    return missing


def level_of(layers: Sequence[LayerReport]) -> Isolation | None:
    """The highest level that these layers are of; None if not even the lowest."""
    reached = [level for level in Isolation if not missing_for(level, layers)]
    return reached[-1] if reached else None


def required_isolation() -> Isolation | None:
    """The level that ``FTRL_REQUIRE_ISOLATION`` names, if it is set.

    Raises:
        InputError: there is no such level.
    """
    name = os.environ.get(REQUIRED)
    if not name:
        return None
    try:
        return Isolation(name)
    except ValueError as error:
        levels = ", ".join(level.value for level in Isolation)
        raise InputError(f"there is no level of isolation '{name}'; choose {levels}", field=REQUIRED) from error
