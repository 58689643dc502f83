"""Waiting for a message on both sides of the wall: a moment awake, before the system may put the process to sleep.

A process that sleeps takes longer to be woken than most calls take to be made. Others that want the core get it
meanwhile; and where a moment was not enough, as on a machine that has more to do than cores, the next messages are
waited for asleep at once.
"""

from __future__ import annotations

import os
import select
import time

SECONDS = 100e-6
PAUSE = 4
"""Messages that are waited for asleep after one that did not come in time."""


class Moment:
    """Spends moments waiting at a descriptor.

    Args:
        descriptor: what the messages come from.
    """

    def __init__(self, descriptor: int) -> None:
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._pause = 0

    def spend(self) -> None:
        """Return when there is something to read, or soon after."""
        if self._pause:
            self._pause -= 1
            return
        poll = self._poll.poll
        until = time.perf_counter() + SECONDS
        while not poll(0):
            if time.perf_counter() > until:
                self._pause = PAUSE
                return
            os.sched_yield()
