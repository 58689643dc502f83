"""Keeps one call's processes apart from the zygote, and makes sure that none of them outlives the call."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys

from . import filesystem, linux, seccomp
from .layers import Layers


class Guard:
    """Around each call: confine its process before, sweep up after it.

    Args:
        alone: the zygote is the first process of a PID namespace, so "every other process" is the call's.
        own_root: the call may have left files in the scratch folder.
        layers: where to record what holds.
    """

    def __init__(self, layers: Layers, *, alone: bool, own_root: bool) -> None:
        self._alone = alone
        self._own_root = own_root
        self._filter_per_call: seccomp.Filter | None = None
        self._children: int | None = None
        if not alone:
            layers.attempt("adoption of orphans", self._adopt_orphans)

    def prepare_filter(self) -> None:
        """Filter system calls: at once for the zygote too where a tool may start processes, else per call.

        Raises:
            OSError: this system has no such filter.
        """
        process_filter = seccomp.Filter(processes=self._alone)
        if self._alone:
            process_filter.put_on()
            return
        probe = os.fork()
        if probe == 0:
            try:
                process_filter.put_on()
            except OSError as error:
                os._exit(error.errno or errno.EPERM)
            os._exit(0)
        failure = os.waitstatus_to_exitcode(os.waitpid(probe, 0)[1])
        if failure:
            raise OSError(failure, os.strerror(failure))
        self._filter_per_call = process_filter

    def confine(self) -> None:
        """In the call's process, before the tool runs: what keeps it apart where no PID namespace does."""
        if not self._alone:
            os.setsid()
            if self._filter_per_call is not None:
                self._filter_per_call.put_on()

    def sweep(self, call: int) -> int:
        """Kill and reap every process of the call.

        Args:
            call: the process that was forked for it.

        Returns:
            The exit code of that process; negative for a signal.
        """
        everyone = [-1] if self._alone else [-call, call]
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
            if pid == call:
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
        for folder, inner, _ in os.walk(filesystem.SCRATCH):
            for path in (f"{folder}/{name}" for name in inner):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        for folder, inner, files in os.walk(filesystem.SCRATCH, topdown=False):
            for path in (f"{folder}/{name}" for name in (*inner, *files)):
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                else:
                    os.unlink(path)

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
