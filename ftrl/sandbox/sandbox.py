"""``Sandbox``: the one way to run a tool."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import TracebackType

from ftrl.errors import FtrlError
from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.isolation import Isolation, missing_for, required_isolation
from ftrl.sandbox.pending import Pending
from ftrl.sandbox.pool import Job, Pool
from ftrl.sandbox.results import MOST_PROOFS, Proofs, ResultCache
from ftrl.sandbox.warm import WarmPool
from ftrl.sandbox.worker_process import WorkerFailure

_log = logging.getLogger(__name__)

DEFAULT_LIMITS = Limits()
CACHE_BYTES = 64 * 1024 * 1024
CALLS_OF_A_BATCH = 128
CALLS_OF_A_FORK = 64
SECONDS_OF_A_WARM_CALL = 0.5
"""A tool that once took longer holds up no warm interpreter any more."""

_NOT_AGAIN_WARM = (CallStatus.TIMEOUT, CallStatus.MEMORY, CallStatus.CRASHED)
_GROUPS_OF_A_BATCH = 256
_IN_FLIGHT_PER_WORKER = 16
"""Batches of a stream."""


class Sandbox:
    """Runs tool source that nobody trusts in jailed worker processes. Threads and coroutines may share one.

    A call takes one of two paths. Tools that are proven to keep nothing and reach nothing (``ftrl.sandbox.proof``) run
    in warm interpreters; results of those that are functions of their arguments are kept. All others run in processes
    forked for the purpose: one for the calls of a response, or one for a single call where the source mentions
    anything that reaches beyond the call.

    Args:
        workers: how many calls run at the same time; as many as this process may use cores if None.
        limits: what one call may use.
        legacy_namespace: give tools the names that the published host happens to import (``json``, ``sleep``,
            ``deepcopy``, ``sha256``, …); 17 of the 1,852 tools of the published test set rely on them.
        warm: let proven tools share interpreters; without, every call takes the fork path.
        cache_bytes: memory for results of deterministic calls; 0 keeps none.
        most_sources: sources that are remembered with what is proven of them; about 2 kB each.
        require: refuse to start below this level of isolation; what ``FTRL_REQUIRE_ISOLATION`` names if None.

    Raises:
        FtrlError: a worker process cannot be started here, or not with the isolation that is required.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        *,
        legacy_namespace: bool = True,
        warm: bool = True,
        cache_bytes: int = CACHE_BYTES,
        most_sources: int = MOST_PROOFS,
        require: Isolation | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"a sandbox needs at least one worker, not {workers}")
        require = require or required_isolation()
        self.workers = workers or _usable_cores()
        self.limits = limits
        self._owner = os.getpid()
        try:
            self._pool = Pool(self.workers, limits, legacy_namespace=legacy_namespace)
        except WorkerFailure as failure:
            raise FtrlError(f"the sandbox cannot start: {failure}") from failure
        layers = self._pool.layers()
        _warn_once(tuple(missing_for(Isolation.FULL, layers)))
        if require is not None and (missing := missing_for(require, layers)):
            self._pool.close()
            raise FtrlError(
                f"this machine does not isolate tools to the level '{require.value}'; missing: {'; '.join(missing)}. "
                "`ftrl doctor` tells more; a lower level has to be asked for"
            )
        self._warm = WarmPool(self.workers, limits, legacy_namespace=legacy_namespace) if warm else None
        self._proofs = Proofs(most_sources)
        self._cache = ResultCache(cache_bytes)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="ftrl-sandbox-warm")
        self._closer = weakref.finalize(self, _close, self._pool, self._warm, self._threads)

    def prepare(self, sources: Iterable[str]) -> None:
        """Look into sources that will be called, and start all workers, so that the first calls wait for neither.

        Runs none of the sources.
        """
        self._check_usable()
        if self._warm is not None:
            self._warm.start()
        for source in sources:
            self._proofs.of(source)
            self._proofs.compiled(source)

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Make the calls of one response, side by side, and wait. Results come in the order of the calls."""
        if self._warm is not None and len(calls) <= CALLS_OF_A_BATCH and all(map(self._proofs.warm, calls)):
            self._check_usable()
            return self._run_all_warm(self._warm, calls)
        return self._submit([calls]).result()

    def run_groups(self, groups: Sequence[Sequence[Call]]) -> list[list[CallResult]]:
        """Make the calls of many responses and wait: one list of results for each."""
        results = iter(self._submit(groups).result())
        return [list(itertools.islice(results, len(group))) for group in groups]

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        """Like ``run``, without blocking the event loop. Cancelling drops the calls that have not begun."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        pending = self._submit([calls], tell, wait_here=False)
        try:
            await done.wait()
            return pending.result()
        finally:
            pending.abandoned = True

    def stream(self, calls: Iterable[Call]) -> Iterator[CallResult]:
        """Make any number of unrelated calls in bounded memory; results come in the order of the calls."""
        for results in self.stream_groups([call] for call in calls):
            yield results[0]

    def stream_groups(self, groups: Iterable[Sequence[Call]]) -> Iterator[list[CallResult]]:
        """Make the calls of any number of responses in bounded memory; their results come in order.

        A call that hangs holds up no call of another response, as long as not too many wait behind it.
        """
        waiting: deque[tuple[list[Sequence[Call]], Pending]] = deque()

        def first() -> Iterator[list[CallResult]]:
            batch, pending = waiting.popleft()
            results = iter(pending.result())
            for group in batch:
                yield list(itertools.islice(results, len(group)))

        source = iter(groups)
        try:
            while batch := list(itertools.islice(source, _GROUPS_OF_A_BATCH)):
                waiting.append((batch, self._submit(batch, wait_here=False)))
                while waiting and (len(waiting) > self.workers * _IN_FLIGHT_PER_WORKER or waiting[0][1].done()):
                    yield from first()
            while waiting:
                yield from first()
        finally:
            for _, pending in waiting:
                pending.abandoned = True

    def worker_pids(self) -> list[int]:
        """Process ids of the running workers, for those who watch over them."""
        return [*self._pool.worker_pids(), *(self._warm.worker_pids() if self._warm else ())]

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

    def _submit(
        self,
        groups: Sequence[Sequence[Call]],
        finished: Callable[[], None] | None = None,
        *,
        wait_here: bool = True,
    ) -> Pending:
        """Send every call on its path.

        Args:
            groups: the calls of some responses.
            finished: called once, from any thread, when all results are there.
            wait_here: the caller will wait anyway, so its own thread may do some of the work.
        """
        self._check_usable()
        pending = Pending([call for group in groups for call in group], finished)
        warm: list[int] = []
        jobs: list[Job] = []
        first_of: dict[Call, int] = {}
        known: dict[int, CallResult] = {}
        at = 0
        for group in groups:
            forks: list[int] = []
            for index, call in enumerate(group, start=at):
                if self._warm is None or not self._proofs.warm(call):
                    forks.append(index)
                elif (result := self._known(call)) is not None:
                    known[index] = result
                elif not (call in first_of and pending.same_as(first_of[call], index)):
                    if self._cache.keeps and self._proofs.of(call.source).deterministic:
                        first_of[call] = index
                    warm.append(index)
                    if len(warm) == CALLS_OF_A_BATCH:
                        self._threads.submit(self._run_warm_unwatched, pending, warm)
                        warm = []
            jobs += self._jobs(pending, forks)
            at += len(group)
        pending.deliver(list(known), list(known.values()))
        self._pool.submit(jobs)
        if warm and wait_here:
            self._run_warm(pending, warm)
        elif warm:
            self._threads.submit(self._run_warm_unwatched, pending, warm)
        pending.all_sent()
        return pending

    def _jobs(self, pending: Pending, indexes: list[int]) -> Iterator[Job]:
        """The calls of one response as jobs: a fork of its own for what is wild, one for some of the others."""
        tame: list[int] = []
        for index in indexes:
            if self._proofs.of(pending.calls[index].source).wild:
                yield self._job(pending, [index], roomy=True)
            else:
                tame.append(index)
        for start in range(0, len(tame), CALLS_OF_A_FORK):
            yield self._job(pending, tame[start : start + CALLS_OF_A_FORK], roomy=False)

    def _run_warm(self, pending: Pending, indexes: list[int]) -> None:
        assert self._warm is not None
        if pending.abandoned:
            return
        # Since they were sent here, one of the tools may have turned out to hang.
        fit = [index for index in indexes if self._proofs.warm(pending.calls[index])]
        results = self._make_warm(self._warm, [pending.calls[index] for index in fit]) if fit else []
        self._deliver(pending, fit[: len(results)], results)
        if len(results) < len(indexes):
            made = set(fit[: len(results)])
            self._fork_each(pending, [index for index in indexes if index not in made])

    def _run_warm_unwatched(self, pending: Pending, indexes: list[int]) -> None:
        """In a thread whose errors nobody sees: whoever waits gets an answer, whatever goes wrong here."""
        try:
            self._run_warm(pending, indexes)
        except BaseException:
            self._fork_each(pending, [index for index in indexes if not pending.has(index)])
            raise

    def _run_all_warm(self, warm: WarmPool, calls: Sequence[Call]) -> list[CallResult]:
        """The results of calls of proven tools, without the machinery that others need."""
        known = [self._known(call) for call in calls]
        missing = [call for call, result in zip(calls, known, strict=True) if result is None]
        made = self._make_warm(warm, missing) if missing else []
        if len(made) < len(missing):
            pending = Pending(missing[len(made) :], None)
            self._fork_each(pending, list(range(len(pending.calls))))
            pending.all_sent()
            made += pending.result()
        news = iter(made)
        return [result or next(news) for result in known]

    def _fork_each(self, pending: Pending, indexes: list[int]) -> None:
        """One hung, or ended the worker, or is unfit for it: forked one by one, each call gets what it deserves."""
        self._pool.submit([self._job(pending, [index], roomy=False) for index in indexes])

    def _deliver(self, pending: Pending, indexes: Sequence[int], results: Sequence[CallResult]) -> None:
        """Hand over results; the same calls whose result might not be the same are made by themselves."""
        if apart := pending.deliver(indexes, results):
            self._fork_each(pending, apart)

    def _make_warm(self, warm: WarmPool, calls: Sequence[Call]) -> list[CallResult]:
        """The results of the first of the calls, and of all of them if nothing went wrong."""
        results, unfit = warm.run(calls, self._proofs.compiled)
        if unfit:
            self._proofs.keep_out(calls[len(results)].source)
        if self._cache.keeps:
            for call, result in zip(calls, results, strict=False):
                if self._proofs.of(call.source).deterministic:
                    self._cache.keep(call, result, self._proofs.shared(call.source))
        return results

    def _known(self, call: Call) -> CallResult | None:
        return self._cache.get(call) if self._cache.keeps else None

    def _check_usable(self) -> None:
        if not self._closer.alive:
            raise FtrlError("this sandbox was closed; make a new one")
        if os.getpid() != self._owner:
            raise FtrlError("a sandbox does not survive a fork; make one in each process")

    def _job(self, pending: Pending, indexes: list[int], *, roomy: bool) -> Job:
        calls = [pending.calls[index] for index in indexes]

        def deliver(position: int, result: CallResult) -> None:
            if result.seconds > SECONDS_OF_A_WARM_CALL or result.status in _NOT_AGAIN_WARM:
                self._proofs.keep_out(calls[position].source)
            self._deliver(pending, [indexes[position]], [result])

        codes = [self._proofs.compiled(call.source) for call in calls]
        return Job(calls, codes, roomy, deliver, lambda: not pending.abandoned)


@cache
def _warn_once(missing: tuple[str, ...]) -> None:
    if missing:
        _log.warning("tools run without these layers of isolation: %s; `ftrl doctor` tells more", "; ".join(missing))


def _close(pool: Pool, warm: WarmPool | None, threads: ThreadPoolExecutor) -> None:
    if warm is not None:
        warm.close()
    pool.close()
    threads.shutdown(wait=False)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
