"""One sandbox a node, shared by everything that runs tools there: a Ray actor, and what stands for it elsewhere.

Rollout and reward workers of a node would otherwise each keep a pool as large as the machine, and none would profit
from the results that another has already. Calls stay on the node; a worker may have only so many on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ftrl import telemetry
from ftrl.errors import FtrlError
from ftrl.sandbox.calls import Call, CallResult, Limits
from ftrl.sandbox.sandbox import DEFAULT_LIMITS, Sandbox

ATTEMPTS = 5
"""How often calls are made again because the actor died under them; tools have no effects, so that is the same."""

MOST_ON_THEIR_WAY = 256
_SECONDS_BETWEEN_ATTEMPTS = 0.5
_AT_THE_SAME_TIME = 10_000
_SOURCES_AT_A_TIME = 500


class SandboxActor:
    """The Ray actor: a sandbox, asked by many."""

    def __init__(self, workers: int | None, limits: Limits) -> None:
        self._sandbox = Sandbox(workers, limits)
        self._under_way = 0

    async def run(self, calls: list[Call]) -> list[CallResult]:
        """Make the calls of one response."""
        self._note(len(calls))
        try:
            results = await self._sandbox.run_async(calls)
        finally:
            self._note(-len(calls))
        for status, count in Counter(result.status for result in results).items():
            telemetry.TOOL_CALLS.add(count, status=status.value)
        return results

    def _note(self, news: int) -> None:
        self._under_way += news
        telemetry.TOOL_CALLS_IN_FLIGHT.set(self._under_way)

    async def prepare(self, sources: list[str]) -> None:
        """Look into sources before their first call; calls go on meanwhile."""
        await asyncio.to_thread(self._sandbox.prepare, sources)

    async def process_ids(self) -> list[int]:
        """The process ids of this actor and of its sandbox's workers, for those who watch over them."""
        return [os.getpid(), *self._sandbox.worker_pids()]


class NodeSandbox:
    """The sandbox of the node that this process runs on; the first to ask starts it. Needs a connected Ray.

    Args:
        workers: how many calls run at the same time on the node; one per core if None.
        limits: what one call may use.
        most_on_their_way: responses whose calls this process may have under way; others wait here.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        *,
        most_on_their_way: int = MOST_ON_THEIR_WAY,
    ) -> None:
        self._workers = workers
        self._limits = limits
        self._gate = asyncio.Semaphore(most_on_their_way)
        self._actor: Any = None

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        """Make the calls of one response; results come in the order of the calls.

        Raises:
            FtrlError: the node's sandbox died again and again.
        """
        if not calls:
            return []
        async with self._gate:
            for _ in range(ATTEMPTS):
                try:
                    results: list[CallResult] = await self._living().run.remote(list(calls))
                except RayActorError:
                    self._actor = None
                    telemetry.TOOL_CALLS_RETRIED.add(len(calls))
                    await asyncio.sleep(_SECONDS_BETWEEN_ATTEMPTS)
                else:
                    return results
        raise FtrlError(f"the sandbox of this node died {ATTEMPTS} times over the same calls; see Ray's logs of it")

    def prepare(self, sources: Iterable[str]) -> None:
        """Have the node's sandbox look into sources before their first call, and wait until it has.

        Only a head start: if the sandbox dies meanwhile, the next one looks into each source when it is called.
        """
        actor, waiting = self._living(), iter(sources)
        with contextlib.suppress(RayActorError):
            while batch := list(itertools.islice(waiting, _SOURCES_AT_A_TIME)):
                ray.get(actor.prepare.remote(batch))

    def _living(self) -> Any:
        if self._actor is None:
            self._actor = node_actor(self._workers, self._limits)
        return self._actor


_STARTED: list[Any] = []
"""Handles of the actors that this process has started: an actor ends with these; handles got by name do not count."""


def node_actor(workers: int | None, limits: Limits) -> Any:
    """The actor of this node with these settings; started, to live as long as this process, if there is none."""
    node = ray.get_runtime_context().get_node_id()
    settings = hashlib.sha256(repr((workers, limits)).encode()).hexdigest()[:12]
    name = f"ftrl-sandbox-{settings}-{node}"
    try:
        return ray.get_actor(name)
    except ValueError:
        pass  # there is none, or it has died
    actor: Any = ray.remote(SandboxActor)
    started = actor.options(
        name=name,
        get_if_exists=True,
        num_cpus=0,
        max_concurrency=_AT_THE_SAME_TIME,
        max_restarts=-1,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
    ).remote(workers, limits)
    _STARTED.append(started)
    return started
