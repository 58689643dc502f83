"""A control group for each worker: all its processes together may use only so much memory.

The limit of one call is kept by the kernel per process (``RLIMIT_AS``); dozens of calls that are parked side by side
could still fill the machine. Where this process may make control groups (as root in a container, often), a worker gets
one, of version 1 or 2.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from pathlib import Path

CALLS_WORTH = 4
"""A worker's calls together may use as much memory as so many calls at their limit."""

_OWN_BYTES = 256 * 2**20
_PREFIX = "ftrl-sandbox-"
_SECONDS_TO_EMPTY = 2.0
_numbers = itertools.count()


class MemoryGroup:
    """A control group with a limit on memory.

    Args:
        call_bytes: what one call may use.

    Raises:
        OSError: this process may not make one.
    """

    def __init__(self, call_bytes: int) -> None:
        parent, limit_file = _place()
        _sweep(parent)
        self._folder = parent / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        self._folder.mkdir()
        try:
            (self._folder / limit_file).write_text(str(call_bytes * CALLS_WORTH + _OWN_BYTES))
        except OSError:
            self._folder.rmdir()
            raise

    def take(self, process: int) -> None:
        """Put a process in; what it starts from now on is in, too.

        Raises:
            OSError: it is not ours to move.
        """
        (self._folder / "cgroup.procs").write_text(str(process))

    def remove(self) -> None:
        """Take the group away once its processes have ended."""
        until = time.monotonic() + _SECONDS_TO_EMPTY
        while self._folder.exists() and time.monotonic() < until:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.01)


def _place() -> tuple[Path, str]:
    """The folder of this process's own group, and the name of the file that holds a group's limit."""
    if sys.platform != "linux":
        raise OSError("only Linux has control groups")
    rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()]
    for _, controllers, path in rows:
        if "memory" in controllers.split(","):
            return _under("/sys/fs/cgroup/memory", path), "memory.limit_in_bytes"
    for _, controllers, path in rows:
        if not controllers:
            parent = _under("/sys/fs/cgroup", path)
            enabled = (parent / "cgroup.subtree_control").read_text(encoding="utf-8").split()
            if "memory" not in enabled:
                raise OSError("the memory controller is not handed on to groups below this process's own")
            return parent, "memory.max"
    raise OSError("no control group of memory is mounted here")


def _under(mount: str, path: str) -> Path:
    """The group's folder; in a container the path may be that of the host, and the mount the group itself."""
    inside = Path(mount + path)
    return inside if inside.is_dir() else Path(mount)


def _sweep(parent: Path) -> None:
    """Remove the empty groups of processes that were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError):
                folder.rmdir()
