"""The main process's handle on one worker: start it, talk to it, kill it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftrl.sandbox.allowed import MODULES
from ftrl.sandbox.calls import Limits
from ftrl.sandbox.jail import wire
from ftrl.sandbox.memory_group import MemoryGroup

_ENTRY = Path(__file__).parent / "jail" / "__main__.py"
_SECONDS_TO_START = 60.0
_LONGEST_REPORT = 1 << 16

_NEEDED_TO_START = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""What some Pythons cannot start without; the worker's own environment is emptied before any call."""


_PACKAGES_OF_THE_PUBLISHED_HOST = ("dateutil", "six")
"""What tools of the published data import beyond the standard library (dateutil needs six)."""


@dataclass(frozen=True)
class LayerReport:
    """One layer of isolation: what it is called, whether it holds here, and why not."""

    name: str
    active: bool
    why_not: str | None


class WorkerFailure(Exception):
    """The worker did not answer: it could not start, it died, or what it said made no sense."""


class WorkerProcess:
    """A running worker: a zygote, or a warm interpreter. The thread that makes it must live as long as it does.

    Args:
        limits: what each call may use.
        legacy_namespace: whether tools see the names that the published host imports.
        warm: whether it is a warm interpreter.

    Attributes:
        socket: our end of the connection; used by one thread at a time.
        layers: what isolates it.

    Raises:
        WorkerFailure: it did not start.
    """

    def __init__(self, limits: Limits, *, legacy_namespace: bool, warm: bool = False) -> None:
        self._limits = limits
        try:
            self.socket, theirs = socket.socketpair()
            with theirs:
                self._process = _start(theirs)
        except OSError as error:  # no interpreter, or no descriptors, processes or memory left
            raise WorkerFailure(f"a worker process did not start: {error}") from error
        self._group: MemoryGroup | None = None
        try:
            group_layer = self._limit_memory()
            self.layers = [*self._introduce(legacy_namespace, warm), group_layer]
        except BaseException:
            self.release()
            raise

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the worker and all that runs in it, at once. Safe from any thread, and more than once."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()

    def release(self) -> None:
        """Kill the worker and close our ends, when nobody uses it any more."""
        self.kill()
        self.socket.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
        if self._group is not None:
            self._group.remove()

    def _limit_memory(self) -> LayerReport:
        """Before the worker is told anything, and so before it starts any process."""
        try:
            self._group = MemoryGroup(self._limits.memory_bytes)
            self._group.take(self._process.pid)
        except OSError as error:
            return LayerReport("control group for memory", False, error.strerror or str(error))
        return LayerReport("control group for memory", True, None)

    def _introduce(self, legacy_namespace: bool, warm: bool) -> list[LayerReport]:
        settings = {
            "seconds": self._limits.seconds,
            "memory_bytes": self._limits.memory_bytes,
            "output_bytes": self._limits.output_bytes,
            "processes": self._limits.processes,
            "legacy": legacy_namespace,
            "packages": _paths_of(_PACKAGES_OF_THE_PUBLISHED_HOST) if legacy_namespace else [],
            "warm": warm,
            "modules": sorted(MODULES) if warm else [],
            "parent": os.getpid(),
        }
        self.socket.settimeout(_SECONDS_TO_START)
        try:
            self.socket.sendall(wire.pack(json.dumps(settings).encode()))
            report = wire.receive(self.socket.recv, _LONGEST_REPORT)
            if report is None:
                raise WorkerFailure(f"a worker process did not start: {self._last_words()}")
            return [LayerReport(name, active, why or None) for name, active, why in json.loads(report[0])]
        except (OSError, ValueError) as error:
            raise WorkerFailure(f"a worker process did not start: {error}") from error

    def _last_words(self) -> str:
        self._process.kill()
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else "it ended without a word"


def _start(control: socket.socket) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise FileNotFoundError("this Python does not know its own executable (sys.executable is empty)")
    return subprocess.Popen(
        [sys.executable, "-s", "-S", "-X", "utf8", str(_ENTRY)],
        stdin=control.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _NEEDED_TO_START if name in os.environ}
    # A fixed hash seed makes the order of sets, and so some tools' outputs, the same in every run.
    return {"PYTHONHASHSEED": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "UTC", **passed_on}


def _paths_of(packages: Sequence[str]) -> list[str]:
    """Where the installed ones among the packages are: a folder, or the file of a single module."""
    specs = [importlib.util.find_spec(name) for name in packages]
    places = [
        spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin
        for spec in specs
        if spec is not None
    ]
    return [os.path.realpath(place) for place in places if place is not None]
