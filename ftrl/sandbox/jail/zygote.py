"""The zygote: a warm interpreter, single-threaded, that forks children for calls and answers for them.

A job is one call, or the calls of one response, made one after the other in one child. A child speaks through a pipe
of its own and opens each answer with a word that only it knows. Children that take long are *parked*: they go on
behind the others while the zygote serves other jobs, each until its own time limit.

The zygote never runs, compiles or parses anything of a tool's, and keeps what calls say to each other's disadvantage -
their sources, arguments and outputs - in memory that no child gets but for its own job's.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import struct
import time
from collections import deque
from os import _exit  # bound here, for a tool may overwrite it in its module
from typing import NamedTuple

from . import child, tool_call, wire
from .guard import Guard
from .limits import MOST_CHILDREN, leave_room
from .private_memory import Inbox, Private
from .settings import Settings

TIMEOUT, CRASHED = "timeout", "crashed"
PARK_SECONDS = 0.1
IDLE_SECONDS = 2.0
"""Few honest tools compute for longer; a machine full of those that never end must stay of use to the others."""
_RETRY_SECONDS = 0.05
_ROOM_FOR_AN_ERROR = 1 << 16
_STATUSES = frozenset(status.encode() for status in tool_call.STATUSES)
_LONGEST_STATUS = 64
_REQUEST = struct.Struct("<QQQQ?Q")
"""What stands before the calls of a request: lengths of the message and of its first field; number, size and roomy;
the length of the calls."""
_ANSWER = struct.Struct("<QQd")
_LENGTH = struct.Struct("<Q")


class Job(NamedTuple):
    """Calls to be made in one child.

    Attributes:
        number: the main process's name for it.
        first: index of the call to go on with.
        size: how many calls there are.
        roomy: whether its calls may start threads and write to the scratch folder.
        calls: the calls themselves, which only the child reads.
    """

    number: int
    first: int
    size: int
    roomy: bool
    calls: Private


class Child:
    """A running child, and what has been heard of it."""

    def __init__(self, job: Job, pid: int, reading: int, word: bytes, now: float, inbox: Inbox) -> None:
        self.job = job
        self.pid = pid
        self.reading = reading
        self.word = word
        self.index = job.first
        self.started = now
        self.parked = False
        self.idle = False
        self.inbox = inbox
        self.last_status = ""

    @property
    def done(self) -> bool:
        """Whether every call has been answered."""
        return self.index == self.job.size

    def next_step(self, limit: float) -> float:
        """Seconds from the start of the present call to the next thing to do about it."""
        return min(limit, IDLE_SECONDS if self.parked and not self.idle else limit if self.parked else PARK_SECONDS)


class Zygote:
    """Serves jobs from the control socket.

    Args:
        control: descriptor of the socket to the main process.
        settings: the limits of each call.
        guard: keeps the children apart and sweeps up after them.
    """

    def __init__(self, control: int, settings: Settings, guard: Guard) -> None:
        self._control = control
        self._settings = settings
        self._guard = guard
        self._most = MOST_CHILDREN if guard.many else 1
        self._waiting: deque[Job] = deque()
        self._children: dict[int, Child] = {}
        self._poll = select.poll()
        self._not_before = 0.0

    def serve(self) -> None:
        """Answer until the main process hangs up."""
        gc.collect()
        gc.freeze()  # or the first collection in every child would copy all of this process's pages
        self._poll.register(self._control, select.POLLIN)
        while True:
            self._start_what_waits()
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor == self._control:
                    self._take_job()
                elif descriptor in self._children:
                    self._hear(self._children[descriptor])
            self._mind_the_time()

    def _take_job(self) -> None:
        head = os.read(self._control, _REQUEST.size)
        while head and len(head) < _REQUEST.size:
            head += os.read(self._control, _REQUEST.size - len(head)) or _exit(0)
        if not head:
            for running in self._children.values():
                self._guard.sweep(running.pid)
            _exit(0)
        _, _, number, size, roomy, length = _REQUEST.unpack(head)
        calls = Private(length)
        calls.fill(self._control, length)
        self._waiting.append(Job(number, 0, size, roomy, calls))

    def _start_what_waits(self) -> None:
        """Start the next job, unless a young child is at work; a roomy one waits until the scratch folder is free."""
        if time.monotonic() < self._not_before:
            return
        while self._waiting and len(self._children) < self._most:
            if any(not running.parked for running in self._children.values()):
                return
            taken = any(running.job.roomy for running in self._children.values())
            job = next((job for job in self._waiting if not (job.roomy and taken)), None)
            if job is None:
                return
            self._waiting.remove(job)
            if not self._start(job):
                self._waiting.appendleft(job)
                self._not_before = time.monotonic() + _RETRY_SECONDS
                return

    def _start(self, job: Job) -> bool:
        word = os.urandom(16)
        reading, writing = os.pipe()
        now = time.monotonic()
        try:
            inbox = Inbox(self._settings.output_bytes + _ROOM_FOR_AN_ERROR)
            job.calls.show()
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            if not self._children:
                raise
            return False  # no room for it now; there will be when the others have ended
        if pid == 0:
            try:
                os.close(self._control)
                for running in self._children.values():
                    os.close(running.reading)
                os.close(reading)
                if job.roomy:
                    leave_room(self._settings, beside=len(self._children))
                self._guard.confine(roomy=job.roomy)
                child.make_calls(job.calls.view(), job.first, writing, word, self._settings)
            finally:
                _exit(0)
        os.close(writing)
        job.calls.hide()
        self._children[reading] = Child(job, pid, reading, word, now, inbox)
        self._poll.register(reading, select.POLLIN)
        return True

    def _hear(self, running: Child) -> None:
        """Take in what the child says, and pass on each answer that is whole."""
        try:
            more = running.inbox.hear(running.reading)
            while (said := running.inbox.take(fields=3)) is not None:
                self._pass_on(running, *said)
                for field in said:
                    field.release()
                running.inbox.drop()
        except wire.Garbled:
            self._end(running, CRASHED, "it wrote on the sandbox's own channel")
            return
        if running.done or not more:
            self._end(running, CRASHED, None)

    def _pass_on(self, running: Child, word: memoryview, status: memoryview, output: memoryview) -> None:
        if word != running.word or running.done or bytes(status[:_LONGEST_STATUS]) not in _STATUSES:
            raise wire.Garbled("this is no answer")
        running.last_status = bytes(status).decode()
        self._reply(running, bytes(status), output)
        running.index += 1
        running.started = time.monotonic()

    def _mind_the_time(self) -> None:
        now = time.monotonic()
        for running in list(self._children.values()):
            if now - running.started >= self._settings.seconds:
                self._end(running, TIMEOUT, f"it ran longer than {self._settings.seconds:g} s")
            elif running.parked and not running.idle and now - running.started >= IDLE_SECONDS:
                running.idle = True
                self._guard.lower_priority(running.pid, idle=True)
            elif not running.parked and now - running.started >= PARK_SECONDS:
                running.parked = True
                self._guard.lower_priority(running.pid, idle=False)
                wire.write(self._control, wire.pack(struct.pack("<Q", running.job.number)))

    def _patience(self) -> float | None:
        """Milliseconds until something has to be done though nobody says anything."""
        now = time.monotonic()
        moments = [running.started + running.next_step(self._settings.seconds) for running in self._children.values()]
        if self._waiting and now < self._not_before:
            moments.append(self._not_before)
        return max(0.0, min(moments) - now) * 1000 + 1 if moments else None

    def _end(self, running: Child, status: str, why: str | None) -> None:
        """Take the child away, answer for the call that it left without one, and put the calls after that back."""
        self._poll.unregister(running.reading)
        del self._children[running.reading]
        os.close(running.reading)
        exit_code = self._guard.sweep(running.pid)
        if running.job.roomy:
            self._guard.empty_scratch()
        if running.done:
            return
        if running.last_status != tool_call.MEMORY or why is not None:
            self._reply(running, status.encode(), (why or _end_of(exit_code)).encode())
            running.index += 1
        if not running.done:
            self._waiting.appendleft(running.job._replace(first=running.index))

    def _reply(self, running: Child, status: bytes, output: bytes | memoryview) -> None:
        seconds = time.monotonic() - running.started
        head = wire.pack(_ANSWER.pack(running.job.number, running.index, seconds), status)[_LENGTH.size :]
        # As ``wire.pack`` would have it, but for a copy of the output.
        size = len(head) + _LENGTH.size + len(output)
        wire.write(self._control, _LENGTH.pack(size) + head + _LENGTH.pack(len(output)), output)


def _end_of(exit_code: int) -> str:
    # SIGKILL says nothing: it may have been ours, when we swept up.
    if exit_code < 0 and exit_code != -signal.SIGKILL:
        return f"its process was ended by {signal.Signals(-exit_code).name}"
    return "its process ended without an answer"
