"""Keeps children apart from the zygote and each other, and makes sure that nothing of them outlives its job."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys

from . import filesystem, landlock, linux, seccomp
from .layers import Layers

_NICER = 5


class Guard:
    """Around each child: confine it before it makes calls, sweep up after it.

    Args:
        layers: where to record what holds.
        alone: the zygote is the first process of a PID namespace, so "every other process" is the child's.
        own_root: children may have left files in the scratch folder.
        no_scratch: Landlock rules, if there are any, for children that are not to see the scratch folder: it may be
            another's at that time.
    """

    def __init__(self, layers: Layers, *, alone: bool, own_root: bool, no_scratch: int | None) -> None:
        self._no_scratch = no_scratch
        self._alone = alone
        self._own_root = own_root
        self._filters: dict[bool, seccomp.Filter] = {}
        self._children: int | None = None
        layers.attempt("system call filter", self._filter)
        if not alone and not self.many:
            layers.attempt("adoption of orphans", self._adopt_orphans)

    @property
    def many(self) -> bool:
        """Whether children may run side by side: a filter keeps each from starting processes of its own."""
        return bool(self._filters)

    def confine(self, *, roomy: bool) -> None:
        """In the child, before any call: what keeps it apart from the zygote and the other children."""
        if self._no_scratch is not None:
            if not roomy:
                landlock.enter(self._no_scratch)
            os.close(self._no_scratch)
        if self._filters:
            self._filters[roomy].put_on()
        elif not self._alone:
            os.setsid()

    def lower_priority(self, child: int, *, idle: bool) -> None:
        """Let others go before the child; or, ``idle``, let it run only when nobody else wants to."""
        with contextlib.suppress(OSError):
            if not idle:
                os.setpriority(os.PRIO_PROCESS, child, os.getpriority(os.PRIO_PROCESS, 0) + _NICER)
            elif hasattr(os, "SCHED_IDLE"):
                os.sched_setscheduler(child, os.SCHED_IDLE, os.sched_param(0))

    def sweep(self, child: int) -> int:
        """Kill and reap the child and every process that it may have started.

        Returns:
            The exit code of the child; negative for a signal.
        """
        if self.many:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        everyone = [-1] if self._alone else [-child, child]
        for processes in everyone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(processes, signal.SIGKILL)
        status = 0
        while True:
            self._kill_adopted()
            try:
                pid, ended = os.waitpid(-1, 0)
            except ChildProcessError:
                break
            if pid == child:
                status = ended
        return os.waitstatus_to_exitcode(status)

    def empty_scratch(self) -> None:
        """Take away what a call wrote.

        Raises:
            OSError: something cannot be taken away; the worker must end, a fresh one has a fresh folder.
        """
        if not self._own_root:
            return  # then nothing can be written
        with contextlib.suppress(PermissionError):  # a tool that owns the folder may have shut it
            if not os.listdir(filesystem.SCRATCH):
                return
        if os.stat(filesystem.SCRATCH).st_uid == os.geteuid():
            os.chmod(filesystem.SCRATCH, 0o700)
        top = os.open(filesystem.SCRATCH, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while names := os.listdir(top):
                for name in names:
                    _take_away(name, top)
        finally:
            os.close(top)

    def _filter(self) -> None:
        # Landlock does not keep anybody from changing a file's mode or times.
        filters = {
            True: seccomp.Filter(seccomp.Kind.ROOMY, own_files=self._own_root),
            False: seccomp.Filter(seccomp.Kind.QUIET),
        }
        seccomp.Filter(seccomp.Kind.ZYGOTE).put_on()
        self._filters = filters

    def _kill_adopted(self) -> None:
        """Kill what left the call's process group and so came to us when its parent died."""
        if self._children is not None:
            for child in os.pread(self._children, 1 << 16, 0).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)

    def _adopt_orphans(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "only Linux has this: a process that leaves its group outlives the call")
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        self._children = os.open("/proc/thread-self/children", os.O_RDONLY)


def _take_away(name: str, top: int) -> None:
    """Remove a file of the folder ``top``; or a folder, whose own folders come up to ``top``.

    So no path is ever longer than a name, however deep a tool has nested them.
    """
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    os.chmod(name, 0o700, dir_fd=top)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for inner in os.listdir(folder):
            if stat.S_ISDIR(os.stat(inner, dir_fd=folder, follow_symlinks=False).st_mode):
                os.chmod(inner, 0o700, dir_fd=folder)
                os.rename(inner, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)
