"""Limits that the kernel keeps, put on the worker once and inherited by every call's process."""

from __future__ import annotations

import errno
import resource
import sys

from .settings import Settings

_OPEN_FILES = 128
_FILE_BYTES = 16 * 1024 * 1024
_STACK_BYTES = 8 * 1024 * 1024
_ZYGOTE_AND_ITS_PARENT = 2
MOST_CHILDREN = 64
"""Children of a zygote at one time."""


def put_on(settings: Settings, *, bare_bytes: int, own_root: bool, own_user: bool) -> None:
    """Limit memory, processes, files and the rest.

    Args:
        settings: holds what one call may use.
        bare_bytes: address space of the interpreter before any call.
        own_root: files can be written in a small folder of the worker's own; without, none may get any content.
        own_user: no process outside this worker counts against its user's limit of processes.

    Raises:
        OSError: the system refuses one of them; the others are put on all the same.
    """
    wanted = {
        "CORE": 0,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "SIGPENDING": 64,
        "NOFILE": _OPEN_FILES,
        "STACK": _STACK_BYTES,
        "FSIZE": _FILE_BYTES if own_root else 0,
        "AS": bare_bytes + settings.memory_bytes,
    }
    if own_user:
        wanted["NPROC"] = settings.processes + MOST_CHILDREN + _ZYGOTE_AND_ITS_PARENT
    refused = []
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue  # not a limit of this system
        hard = resource.getrlimit(kind)[1]
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (ceiling, ceiling))
        except (ValueError, OSError):
            refused.append(name)
    if refused:
        raise OSError(errno.EPERM, f"the system refuses limits on {', '.join(refused)}")


def leave_room(settings: Settings, beside: int) -> None:
    """In a child: so many threads of its own that those beside it, and those to come, keep their places.

    Args:
        settings: holds how many.
        beside: children that run already.
    """
    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    if most == settings.processes + MOST_CHILDREN + _ZYGOTE_AND_ITS_PARENT:  # else it counts others, too
        limit = settings.processes + beside + 1 + _ZYGOTE_AND_ITS_PARENT
        resource.setrlimit(resource.RLIMIT_NPROC, (min(limit, most), min(limit, most)))


def address_space() -> int:
    """Bytes of address space that this process has; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
