"""``Sandbox``: the one way to run a tool."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from ftrl.errors import FtrlError
from ftrl.sandbox.calls import Call, CallResult, Limits
from ftrl.sandbox.pool import Batch, Pool
from ftrl.sandbox.worker_process import WorkerFailure

DEFAULT_LIMITS = Limits()
_IN_FLIGHT_PER_WORKER = 32


class Sandbox:
    """Runs tool source that nobody trusts in jailed worker processes. Threads and coroutines may share one.

    Args:
        workers: how many calls run at the same time; as many as this process may use cores if None.
        limits: what one call may use.
        legacy_namespace: give tools the names that the published host happens to import (``json``, ``sleep``,
            ``deepcopy``, ``sha256``, …); 17 of the 1,852 tools of the published test set rely on them.

    Raises:
        FtrlError: a worker process cannot be started here.
    """

    def __init__(
        self, workers: int | None = None, limits: Limits = DEFAULT_LIMITS, *, legacy_namespace: bool = True
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"a sandbox needs at least one worker, not {workers}")
        self.workers = workers or _usable_cores()
        self.limits = limits
        self._owner = os.getpid()
        try:
            self._pool = Pool(self.workers, limits, legacy_namespace=legacy_namespace)
        except WorkerFailure as failure:
            raise FtrlError(f"the sandbox cannot start: {failure}") from failure
        self._closer = weakref.finalize(self, self._pool.close)

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Make the calls, side by side, and wait. Results come in the order of the calls."""
        return self._submit(calls).result()

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        """Like ``run``, without blocking the event loop. Cancelling drops the calls that have not begun."""
        self._check_usable()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[CallResult]] = loop.create_future()

        def hand_over(results: list[CallResult]) -> None:
            if not future.done():
                future.set_result(results)

        def finished(results: list[CallResult]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(hand_over, results)

        if not calls:
            return []
        batch = Batch(calls, finished)
        self._pool.submit(batch)
        try:
            return await future
        finally:
            batch.abandoned = True

    def stream(self, calls: Iterable[Call]) -> Iterator[CallResult]:
        """Make any number of calls in bounded memory; results come in the order of the calls."""
        waiting: deque[_Pending] = deque()
        try:
            for call in calls:
                waiting.append(self._submit([call]))
                if len(waiting) >= self.workers * _IN_FLIGHT_PER_WORKER:
                    yield waiting.popleft().result()[0]
            while waiting:
                yield waiting.popleft().result()[0]
        finally:
            for pending in waiting:
                pending.batch.abandoned = True

    def worker_pids(self) -> list[int]:
        """Process ids of the running workers, for those who watch over them."""
        return self._pool.worker_pids()

    def close(self) -> None:
        """Kill the workers. Calls still waiting elsewhere are answered as ``infrastructure``."""
        if os.getpid() == self._owner:
            self._closer()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, calls: Sequence[Call]) -> _Pending:
        self._check_usable()
        pending = _Pending(calls)
        self._pool.submit(pending.batch)
        return pending

    def _check_usable(self) -> None:
        if not self._closer.alive:
            raise FtrlError("this sandbox was closed; make a new one")
        if os.getpid() != self._owner:
            raise FtrlError("a sandbox does not survive a fork; make one in each process")


class _Pending:
    """Results that are still being worked on, for a thread that will wait for them."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._done = threading.Event()
        self._results: list[CallResult] = []
        self.batch = Batch(calls, self._finish)
        if not calls:
            self._done.set()

    def result(self) -> list[CallResult]:
        try:
            self._done.wait()
        finally:
            self.batch.abandoned = True
        return self._results

    def _finish(self, results: list[CallResult]) -> None:
        self._results = results
        self._done.set()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
