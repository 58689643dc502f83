"""The workers of one sandbox, each served by a thread of its own, and the calls waiting for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.worker_process import WorkerFailure, WorkerProcess

ATTEMPTS = 2


class Batch:
    """Calls made together: collects their results in order and tells when the last one is there.

    Args:
        calls: the calls.
        finished: called once, from a worker's thread, when all results are there.
    """

    def __init__(self, calls: Sequence[Call], finished: Callable[[list[CallResult]], None]) -> None:
        self.calls = list(calls)
        self.abandoned = False
        """Set when nobody waits any more: calls not yet begun are dropped."""
        self._results: list[CallResult | None] = [None] * len(self.calls)
        self._missing = len(self.calls)
        self._finished = finished
        self._lock = threading.Lock()

    def deliver(self, index: int, result: CallResult) -> None:
        """Take the result of call ``index``."""
        with self._lock:
            self._results[index] = result
            self._missing -= 1
            if self._missing:
                return
        self._finished([result for result in self._results if result is not None])


class Pool:
    """Worker threads that take calls from one queue, first come, first served.

    Args:
        workers: how many.
        limits: what each call may use.
        legacy_namespace: whether tools see the names that the published host imports.

    Raises:
        WorkerFailure: the first worker could not be started.
    """

    def __init__(self, workers: int, limits: Limits, *, legacy_namespace: bool) -> None:
        self._limits = limits
        self._legacy_namespace = legacy_namespace
        self._waiting: queue.SimpleQueue[tuple[Batch, int] | None] = queue.SimpleQueue()
        self._running: set[WorkerProcess] = set()
        self._lock = threading.Lock()
        self._closed = False
        first_start: queue.SimpleQueue[WorkerFailure | None] = queue.SimpleQueue()
        # A worker dies with the thread that started it (so Linux counts parents): hence these threads.
        self._threads = [
            threading.Thread(target=self._serve, args=(first_start,), name=f"ftrl-sandbox-{index}", daemon=True)
            for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()
        failure = first_start.get()
        if failure is not None:
            self.close()
            raise failure

    def submit(self, batch: Batch) -> None:
        """Queue all calls of a batch."""
        for index in range(len(batch.calls)):
            self._waiting.put((batch, index))

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that are up."""
        with self._lock:
            return [worker.pid for worker in self._running]

    def close(self) -> None:
        """Kill the workers; calls not yet answered get an ``infrastructure`` result."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for worker in running:
            worker.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _serve(self, first_start: queue.SimpleQueue[WorkerFailure | None]) -> None:
        worker: WorkerProcess | None = None
        try:
            worker = self._start()
            first_start.put(None)
        except WorkerFailure as failure:
            first_start.put(failure)
        while (job := self._waiting.get()) is not None:
            batch, index = job
            if not batch.abandoned:
                result, worker = self._answer(batch.calls[index], worker)
                batch.deliver(index, result)
        if worker is not None:
            self._stop(worker)

    def _answer(self, call: Call, worker: WorkerProcess | None) -> tuple[CallResult, WorkerProcess | None]:
        """One call's result, on a fresh worker if the present one fails; and the worker for the next call."""
        reason = "it was closed"
        for _ in range(ATTEMPTS):
            if self._closed:
                reason = "it was closed"
                break
            try:
                worker = worker or self._start()
                return worker.call(call), worker
            except WorkerFailure as failure:
                reason = str(failure)
                if worker is not None:
                    self._stop(worker)
                worker = None
        text = f"an error occured when call {call.name}: the sandbox failed, not the tool: {reason}"
        return CallResult(text, CallStatus.INFRASTRUCTURE, 0.0), worker

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._limits, legacy_namespace=self._legacy_namespace)
        with self._lock:
            self._running.add(worker)
            closed = self._closed
        if closed:
            self._stop(worker)
            raise WorkerFailure("the sandbox was closed")
        return worker

    def _stop(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._running.discard(worker)
        worker.release()
