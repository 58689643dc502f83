"""SIGTERM, by which schedulers ask a process to end: work is left as after Ctrl-C, and takes the time that it needs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LOOK_SECONDS = 1.0
"""How often it is looked whether Ray is about to abort this process; it does so three seconds after SIGTERM."""

_left = threading.Event()
"""Set when the work was left for SIGTERM."""


@contextmanager
def terminable() -> Iterator[None]:
    """In this block, SIGTERM raises ``SystemExit(SIGTERM)`` in the main thread, and no alarm ends the process.

    A process that is connected to Ray gets an alarm with its SIGTERM, and is aborted three seconds later, in the
    middle of what it still has to commit. Whoever sent the signal decides how long that may take, not Ray.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            signal.alarm(0)

    thread = threading.Thread(target=look, name="no-alarm", daemon=True)
    thread.start()
    _left.clear()
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    except SystemExit:
        if _left.is_set():  # Ray, where it is waited for, makes another code of it
            raise SystemExit(int(signal.SIGTERM)) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        over.set()
        thread.join()


@contextmanager
def finishing() -> Iterator[threading.Event]:
    """While the block runs, SIGTERM only sets an event: for work that looks at it, commits and ends by itself.

    A second signal ends it where it is.
    """
    asked = threading.Event()

    def note(number: int, _: FrameType | None) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, _leave)
        asked.set()

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked.is_set():
        sys.exit(signal.SIGTERM)  # it was done before it noticed; what comes after it is not begun


@contextmanager
def same_handler() -> Iterator[None]:
    """After the block, whoever handled SIGTERM before it does so again: Ray takes the signal when it connects."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Only the main thread may, and only in it Ray does.
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: FrameType | None) -> None:
    """Leave the main thread from wherever it is, as after Ctrl-C. Once is enough: the clean-up is not disturbed."""
    _left.set()
    signal.alarm(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    import asyncio  # only now: every command would wait for it at its start

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.exit(number)
    # Between two of its steps: a loop that is left within one may forget whom to wake, and then waits for ever.
    loop.call_soon_threadsafe(sys.exit, number)
