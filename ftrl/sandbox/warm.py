"""The warm path: calls of proven tools, made in interpreters that stay, in the thread of whoever asks."""

from __future__ import annotations

import contextlib
import itertools
import json
import marshal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import CodeType
from typing import NamedTuple

from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.jail import wire
from ftrl.sandbox.jail.moment import Moment
from ftrl.sandbox.worker_process import WorkerFailure, WorkerProcess

BATCH_SECONDS = 1.0
"""How long a batch may take; what is not there by then is made again on the fork path, which tells who was slow."""

LONGEST_REPLY = 256 * 1024 * 1024
CALLS_OF_A_WORKER = 500_000
SOURCES_OF_A_WORKER = 5_000
"""After so many a worker is replaced: what Python's own caches gather in it goes with it."""

_PIECE = 1 << 18
_TIMEVAL = struct.pack("@ll", int(BATCH_SECONDS), int(BATCH_SECONDS % 1 * 1e6))
_from_json = json.JSONDecoder().decode
_STATUSES = {status.value: status for status in CallStatus if status is not CallStatus.INFRASTRUCTURE}


class Made(NamedTuple):
    """What came of a batch.

    Attributes:
        results: those of its first calls, in order; the calls after that were not made.
        unfit: whether the first of these must not be made in a warm interpreter at all.
    """

    results: list[CallResult]
    unfit: bool


class WarmWorker:
    """One warm interpreter, and the code that it has already.

    Args:
        process: the worker.
    """

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.spent = False
        """Whether it should be replaced."""
        # By source, not by code: Python takes codes for equal that differ in what it does not compare.
        self._numbers: dict[str, int] = {}
        self._calls = 0
        self._moment = Moment(process.socket.fileno())
        # Kept by the kernel: Python's own time-outs cost a system call more for each of ours.
        process.socket.settimeout(None)
        process.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        process.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL)

    def run(self, calls: Sequence[Call], compiled: Callable[[str], CodeType | None]) -> Made:
        """Make the calls.

        Args:
            calls: the calls.
            compiled: gives the code of a source; asked only for what this interpreter has not had yet.

        Raises:
            WorkerFailure: no answer in time, or none that makes sense; the worker is of no further use.
        """
        numbers = self._numbers
        new: list[tuple[int, CodeType]] = []
        rows: list[tuple[int | None, str, str]] = []
        for call in calls:
            number = None
            if call.source is not None:
                number = numbers.get(call.source)
                if number is None:
                    code = compiled(call.source)
                    if code is None:
                        raise WorkerFailure("a tool's code could not be had")
                    number = numbers[call.source] = len(numbers)
                    new.append((number, code))
            rows.append((number, call.name, call.arguments))
        self._calls += len(rows)
        connection = self.process.socket
        try:
            connection.sendall(wire.pack(marshal.dumps((new, rows))))
            replies, unfit, full = _from_json(self._receive(connection).decode())
            results = [
                CallResult(output, _STATUSES[status], microseconds / 1e6) for status, output, microseconds in replies
            ]
        except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
            raise WorkerFailure(f"no answer from the worker process: {error}") from error
        complete = len(results) < len(rows) if unfit else len(results) == len(rows)
        if not complete or not all(type(result.output) is str for result in results):
            raise WorkerFailure("the worker process answered something else than it was asked")
        self.spent = bool(full or unfit) or self._calls > CALLS_OF_A_WORKER or len(numbers) > SOURCES_OF_A_WORKER
        return Made(results, bool(unfit))

    def _receive(self, connection: socket.socket) -> bytes:
        received = bytearray()
        deadline = time.monotonic() + BATCH_SECONDS
        self._moment.spend()
        while (message := wire.take(received)) is None:
            piece = connection.recv(_PIECE)
            if not piece:
                raise WorkerFailure("the worker process ended")
            received += piece
            if len(received) > LONGEST_REPLY or time.monotonic() > deadline + BATCH_SECONDS:
                raise WorkerFailure("the worker process says too much")
        return message[0]


class WarmPool:
    """Some warm interpreters, each used by one thread at a time.

    Args:
        workers: how many there may be; each is started when it is first needed, or by ``start``.
        limits: what each call may use.
        legacy_namespace: whether tools see the names that the published host imports.
    """

    def __init__(self, workers: int, limits: Limits, *, legacy_namespace: bool) -> None:
        self._limits = limits
        self._legacy_namespace = legacy_namespace
        self._free: deque[WarmWorker | None] = deque([None] * workers)
        self._count = threading.Semaphore(workers)
        self._all: set[WarmWorker] = set()
        self._lock = threading.Lock()
        self._closed = False
        # A worker dies with the thread that started it (so Linux counts parents): hence one that stays.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ftrl-sandbox-starter")

    def start(self) -> None:
        """Start the workers that nobody has needed yet. One that cannot be started is tried again when it is needed."""
        seats: list[WarmWorker | None] = []
        while self._count.acquire(blocking=False):
            seats.append(self._free.pop())
        for seat in seats:
            worker = seat
            with contextlib.suppress(WorkerFailure):
                worker = seat or self._start()
            self._free.append(worker)
            self._count.release()

    def run(self, calls: Sequence[Call], compiled: Callable[[str], CodeType | None]) -> Made:
        """Make the calls, as ``WarmWorker.run`` does: none of them if the worker failed, or could not be started."""
        self._count.acquire()
        worker = self._free.pop()  # the one that was used last: its caches are warm
        try:
            worker = worker or self._start()
            made = worker.run(calls, compiled)
        except WorkerFailure:
            self._release(worker)
            worker = None
            return Made([], unfit=False)
        else:
            if worker.spent:
                self._release(worker)
                worker = None
            return made
        finally:
            self._free.append(worker)
            self._count.release()

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that are up."""
        with self._lock:
            return [worker.process.pid for worker in self._all]

    def close(self) -> None:
        """Kill the workers; whoever waits for one is told that it failed."""
        with self._lock:
            self._closed = True
            running = list(self._all)
        for worker in running:
            worker.process.kill()
        self._starter.shutdown()
        for worker in itertools.chain(running, list(self._all)):
            worker.process.release()

    def _start(self) -> WarmWorker:
        if self._closed:
            raise WorkerFailure("the sandbox was closed")
        try:
            started = self._starter.submit(
                WorkerProcess, self._limits, legacy_namespace=self._legacy_namespace, warm=True
            )
        except RuntimeError as error:  # the starter was shut down meanwhile
            raise WorkerFailure("the sandbox was closed") from error
        worker = WarmWorker(started.result())
        with self._lock:
            self._all.add(worker)
            closed = self._closed
        if closed:
            worker.process.kill()
        return worker

    def _release(self, worker: WarmWorker | None) -> None:
        if worker is not None:
            with self._lock:
                self._all.discard(worker)
            worker.process.release()
