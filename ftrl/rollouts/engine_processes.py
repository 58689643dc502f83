"""The processes that an engine starts, and what they leave behind when they are killed.

vLLM runs its core in a process of its own, and on a CPU the model in another below it. They do not notice when our
process is killed, and leave shared memory segments in any case. A guard, a small process without any libraries,
waits for our end and cleans up. It is no child of ours, since Ray kills all children of a worker together.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GUARD = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
def start_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
wanted, segments = {}, []
for line in sys.stdin:
    kind, value = line.split(maxsplit=1)
    if kind == "pid":
        wanted[int(value)] = start_of(int(value))
    else:
        segments.append(value.strip())
deadline = time.time() + float(sys.argv[1])
while time.time() < deadline and any(start and start_of(pid) == start for pid, start in wanted.items()):
    time.sleep(0.1)
for pid, start in wanted.items():
    if start and start_of(pid) == start:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
time.sleep(0.1)
for path in segments:
    try:
        os.unlink(path)
    except OSError:
        pass
"""

WATCH_SECONDS = 0.5
"""How often new processes are looked for while an engine starts."""

GRACE_SECONDS = 2.0
"""How long the processes may take to end by themselves once we are gone."""

_ERROR_LINE = re.compile(r"\b([A-Za-z_.]*(?:Error|Exception)): (.+)")


class Guard:
    """Kills processes and removes shared memory segments when this process ends, however it ends.

    Processes that this one started before the guard are none of its business.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", GUARD, str(GRACE_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env={},
        )
        self._process.wait()  # the guard itself is below it, and goes on
        self._others = set(descendants(os.getpid()))
        self._told: set[str] = set()

    def watch(self) -> None:
        """Take note of the processes that were started since, and of the shared memory segments that they have open."""
        assert self._process.stdin is not None
        for pid in descendants(os.getpid()):
            if pid not in self._others:
                lines = {f"pid {pid}\n", *(f"shm {segment}\n" for segment in shared_memory_of(pid))}
                self._process.stdin.writelines(sorted(lines - self._told))
                self._told |= lines
        self._process.stdin.flush()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again while the block runs, in which an engine starts: we may be killed during it, too."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(WATCH_SECONDS):
                self.watch()

        thread = threading.Thread(target=look, name="engine-guard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.watch()

    def release(self) -> None:
        """Clean up now and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.read()  # until it ends


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue  # it ended while we looked
            children.setdefault(parent, []).append(int(entry.name))
    found, pending = [], [pid]
    while pending:
        for child in children.get(pending.pop(), []):
            found.append(child)
            pending.append(child)
    return found


def shared_memory_of(pid: int) -> set[str]:
    """Paths of the segments (Python's ``psm_…``) that a process has mapped."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {match for match in re.findall(r"(/dev/shm/psm_\w+)", maps) if Path(match).exists()}


@contextmanager
def sweeping_segments(folder: Path = Path("/dev/shm"), seconds: float = 5.0) -> Iterator[None]:
    """Remove the segments that come up during the block and that no process has mapped any more when it ends.

    For engines whose processes are not ours to guard: those that verl starts.

    Args:
        folder: where segments lie.
        seconds: how long the processes may take to end after the block.
    """
    before = set(folder.glob("psm_*"))
    try:
        yield
    finally:
        deadline = time.monotonic() + seconds
        while new := set(folder.glob("psm_*")) - before:
            mapped = {Path(path) for pid in _all_processes() for path in shared_memory_of(pid)}
            for segment in new - mapped:
                segment.unlink(missing_ok=True)
            if not new & mapped or time.monotonic() > deadline:
                break
            time.sleep(0.2)


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def last_error(log: str | os.PathLike[str], *, tail: int = 200_000) -> str | None:
    """The error that a process and those below it wrote last into their log: the cause behind "engine failed"."""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - tail))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    found = [f"{kind.rsplit('.', 1)[-1]}: {message.strip()}" for kind, message in _ERROR_LINE.findall(text)]
    # What follows the cause are only reports that something failed.
    causes = [line for line in found if "See root cause" not in line and "EngineDead" not in line]
    return causes[-1] if causes else None
