"""The fork path: zygotes, each served by a thread of its own, and the jobs waiting for them."""

from __future__ import annotations

import contextlib
import itertools
import marshal
import os
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import CodeType

from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.jail import wire
from ftrl.sandbox.worker_process import LayerReport, WorkerFailure, WorkerProcess

ATTEMPTS = 3
AHEAD = 2
"""Jobs that a zygote has at a time beside its parked ones: one at work, one at hand."""

MOST_JOBS = 64
_SECONDS_OF_GRACE = 15.0
"""How long past a call's own limit a zygote may take to say so, on a machine that is busy."""

_PIECE = 1 << 18
_JOB = struct.Struct("<QQ?")
_ANSWER = struct.Struct("<QQd")
_LENGTH = struct.Struct("<Q")
_WORDED_HERE = (CallStatus.TIMEOUT, CallStatus.CRASHED)
"""Endings for which the zygote, which knows no tool's name, gives the reason only."""


@dataclass(eq=False)
class Job:
    """Calls that are made one after the other in one child.

    Attributes:
        calls: the calls.
        codes: for each what defines it; None where that does not compile, so that the child says what is wrong.
        roomy: whether they may start threads and write to the scratch folder.
        deliver: takes the result of the call of that index; called once for each, from a pool's thread.
        wanted: whether anybody still waits.
        next: index of the call whose answer is next.
        attempts: how often a worker died over that call.
        parked: whether the zygote has set it aside.
    """

    calls: Sequence[Call]
    codes: Sequence[CodeType | None]
    roomy: bool
    deliver: Callable[[int, CallResult], None]
    wanted: Callable[[], bool]
    next: int = 0
    attempts: int = 0
    parked: bool = False

    def answer(self, result: CallResult) -> None:
        """Hand over the next call's result."""
        index, self.next, self.attempts = self.next, self.next + 1, 0
        self.deliver(index, result)

    def request(self, number: int) -> bytes:
        """What the zygote is told."""
        left = [
            (call.name, call.arguments, code or call.source)
            for call, code in zip(self.calls[self.next :], self.codes[self.next :], strict=True)
        ]
        return wire.pack(_JOB.pack(number, len(left), self.roomy), marshal.dumps(left))


@dataclass
class _Queue:
    """Jobs that wait, and the threads that would like one."""

    closed: bool = False
    tame: deque[Job] = field(default_factory=deque)
    roomy: deque[Job] = field(default_factory=deque)
    hungry: list[_Lane] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, jobs: Iterable[Job]) -> None:
        """Add jobs behind the others."""
        for job in jobs:
            (self.roomy if job.roomy else self.tame).append(job)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Add jobs in front of the others."""
        for job in reversed(jobs):
            (self.roomy if job.roomy else self.tame).appendleft(job)

    def take(self, *, roomy: bool) -> Job | None:
        """The next job, if there is one; a roomy one only for those who have none at work."""
        if roomy and self.roomy:
            return self.roomy.popleft()
        return self.tame.popleft() if self.tame else None

    def take_all(self) -> list[Job]:
        """Every job that waits."""
        jobs = [*self.roomy, *self.tame]
        self.roomy.clear()
        self.tame.clear()
        return jobs


class Pool:
    """Zygotes that take jobs from one queue.

    Args:
        workers: how many.
        limits: what each call may use.
        legacy_namespace: whether tools see the names that the published host imports.

    Raises:
        WorkerFailure: the first worker could not be started.
    """

    def __init__(self, workers: int, limits: Limits, *, legacy_namespace: bool) -> None:
        self._queue = _Queue()

        def start() -> WorkerProcess:
            return WorkerProcess(limits, legacy_namespace=legacy_namespace)

        self._lanes = [_Lane(index, self._queue, start, limits) for index in range(workers)]
        try:
            self._lanes[0].started()
        except WorkerFailure:
            self.close()
            raise

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; once the pool is closed they are answered at once."""
        if not jobs:
            return  # nobody needs to be woken
        with self._queue.lock:
            closed = self._queue.closed
            if not closed:
                self._queue.put(jobs)
            woken, self._queue.hungry = self._queue.hungry, []
        for lane in woken:
            lane.wake()
        if closed:
            for job in jobs:
                _give_up(job)

    def layers(self) -> list[LayerReport]:
        """What isolates the first worker, and so all of them."""
        worker = self._lanes[0].worker
        return worker.layers if worker is not None else []

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that are up."""
        return [lane.worker.pid for lane in self._lanes if lane.worker is not None]

    def close(self) -> None:
        """Kill the workers; calls not yet answered get an ``infrastructure`` result."""
        with self._queue.lock:
            self._queue.closed = True
        for lane in self._lanes:
            lane.close()
        for lane in self._lanes:
            lane.join()
        with self._queue.lock:
            left = self._queue.take_all()
        for job in left:
            _give_up(job)


class _Lane:
    """One thread and its zygote. A worker dies with the thread that started it (so Linux counts parents)."""

    def __init__(self, index: int, waiting: _Queue, start: Callable[[], WorkerProcess], limits: Limits) -> None:
        self.worker: WorkerProcess | None = None
        self._waiting = waiting
        self._start_worker = start
        self._patience = limits.seconds + _SECONDS_OF_GRACE
        self._longest = limits.output_bytes + (1 << 17)
        self._closed = False
        self._waking = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._numbers = itertools.count()
        self._jobs: dict[int, Job] = {}
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._heard = 0.0
        self._first_start: WorkerFailure | None = None
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"ftrl-sandbox-{index}", daemon=True)
        self._thread.start()

    def started(self) -> None:
        """Wait for the first start.

        Raises:
            WorkerFailure: it failed.
        """
        self._tried.wait()
        if self._first_start is not None:
            raise self._first_start

    def wake(self) -> None:
        with self._waking, contextlib.suppress(BlockingIOError):
            if self._wake_write >= 0:
                os.write(self._wake_write, b".")

    def close(self) -> None:
        self._closed = True
        worker = self.worker
        if worker is not None:
            worker.kill()
        self.wake()

    def join(self) -> None:
        if self._thread is not threading.current_thread():
            self._thread.join()
            with self._waking:  # somebody who has just put in a job may be about to wake us
                for descriptor in (self._wake_read, self._wake_write):
                    os.close(descriptor)
                self._wake_read = self._wake_write = -1

    def _serve(self) -> None:
        try:
            self._start()
        except WorkerFailure as failure:
            self._first_start = failure
        self._tried.set()
        try:
            while not self._closed:
                try:
                    self._take_jobs()
                    self._exchange()
                except Exception as failure:  # noqa: BLE001 - callers wait for answers, whatever went wrong
                    self._worker_failed(str(failure) or type(failure).__name__)
            self._stop()
        finally:  # whatever becomes of this thread, nobody waits for it in vain
            for job in self._jobs.values():
                _give_up(job)
            self._jobs.clear()

    def _start(self) -> None:
        worker = self._start_worker()
        worker.socket.setblocking(False)
        self._outgoing.clear()
        self._incoming.clear()
        self._heard = time.monotonic()
        self.worker = worker
        if self._closed:
            worker.kill()

    def _stop(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.release()

    def _take_jobs(self) -> None:
        """Put jobs to the zygote while it has room for them, or ask to be woken when there are some."""
        while len(self._jobs) < MOST_JOBS and sum(not job.parked for job in self._jobs.values()) < AHEAD:
            # A zygote makes roomy jobs one at a time: those that wait for one that hangs wait here, in nobody's way.
            roomy = not any(job.roomy for job in self._jobs.values())
            with self._waiting.lock:
                job = self._waiting.take(roomy=roomy)
                if job is None:
                    if self not in self._waiting.hungry:
                        self._waiting.hungry.append(self)
                    return
            if job.wanted():
                self._put(job)

    def _put(self, job: Job) -> None:
        number = next(self._numbers)
        job.parked = False
        self._jobs[number] = job
        if self.worker is None:
            self._start()
        if len(self._jobs) == 1:
            self._heard = time.monotonic()
        self._outgoing += job.request(number)

    def _exchange(self) -> None:
        """Wait until there is something to do, send what can be sent and take in what has come."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if self.worker is not None:
            poll.register(self.worker.socket, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        left = self._heard + self._patience - time.monotonic() if self._jobs else None
        if left is not None and left <= 0:
            raise WorkerFailure("no answer from the worker process: timed out")
        for descriptor, event in poll.poll(None if left is None else left * 1000 + 1):
            if descriptor == self._wake_read:
                os.read(self._wake_read, 4096)
            elif self.worker is not None:
                if event & select.POLLOUT:
                    self._send(self.worker)
                if event & ~select.POLLOUT:
                    self._receive(self.worker)

    def _send(self, worker: WorkerProcess) -> None:
        with contextlib.suppress(BlockingIOError):
            sent = worker.socket.send(memoryview(self._outgoing)[:_PIECE].tobytes())
            del self._outgoing[:sent]

    def _receive(self, worker: WorkerProcess) -> None:
        piece = worker.socket.recv(_PIECE)
        if not piece:
            raise WorkerFailure("the worker process ended")
        self._heard = time.monotonic()
        self._incoming += piece
        while (message := wire.take(self._incoming)) is not None:
            self._understand(message)
        if len(self._incoming) > self._longest + _PIECE:
            raise WorkerFailure("the worker process says too much")

    def _understand(self, message: list[bytes]) -> None:
        if len(message) == 1:
            parked = self._jobs.get(_LENGTH.unpack(message[0])[0])
            if parked is not None:
                parked.parked = True
            return
        head, said, text = message
        number, _, seconds = _ANSWER.unpack(head)
        job = self._jobs.get(number)
        if job is None:
            raise WorkerFailure("the worker process answers what it was not asked")
        status, output = CallStatus(said.decode("ascii")), text.decode("utf-8", "replace")
        if status in _WORDED_HERE:
            output = f"an error occured when call {job.calls[job.next].name}: {output}"
        job.answer(CallResult(output, status, seconds))
        if job.next == len(job.calls):
            del self._jobs[number]

    def _worker_failed(self, reason: str) -> None:
        """Make the calls that were at work again, on a fresh worker, unless that was tried too often."""
        self._stop()
        if self._closed:
            return  # then all of them are given up
        jobs = list(self._jobs.values())
        self._jobs.clear()
        for job in jobs:
            job.attempts += 1
            if job.attempts >= ATTEMPTS:
                job.answer(_our_failure(job, reason))
        with self._waiting.lock:
            self._waiting.put_back([job for job in jobs if job.next < len(job.calls)])


def _our_failure(job: Job, reason: str) -> CallResult:
    name = job.calls[job.next].name
    text = f"an error occured when call {name}: the sandbox failed, not the tool: {reason}"
    return CallResult(text, CallStatus.INFRASTRUCTURE, 0.0)


def _give_up(job: Job) -> None:
    while job.next < len(job.calls):
        job.answer(_our_failure(job, "it was closed"))
