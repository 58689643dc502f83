"""Where a stage works: in a Ray actor, or, for runs too small to be worth it, in this process.

Between stages a product is never unpickled: on Ray, the driver hands on references.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ftrl.synthesis.pipeline.stage import Stage, StageSpec
from ftrl.synthesis.verify import Rejection

CLOSE_SECONDS = 10.0
"""How long an actor may take to close its stage."""

Notes = list[Rejection | None]
"""For each product of a call: why it is out, or null."""


class WorkerLost(Exception):
    """The worker died, or what it was given is gone with the node that held it: the items have to be done again."""


class Worker(Protocol):
    """Does the calls of one stage."""

    async def run(self, products: Sequence[Any]) -> tuple[Notes, list[Any]]:
        """One call.

        Raises:
            WorkerLost: do it again.
            Exception: whatever the stage raised.
        """
        ...

    async def fetch(self, product: Any) -> Any:
        """What a product of ``run`` is, in this process.

        Raises:
            WorkerLost: it is gone.
        """
        ...

    async def close(self) -> None:
        """Let go of the stage and what it holds."""
        ...


class StageHost:
    """Holds a stage, made when it is first called, so that what goes wrong then is the stage's error."""

    def __init__(self, spec: StageSpec) -> None:
        self._spec = spec
        self._stage: Stage | None = None

    async def run(self, *products: Any) -> tuple[Any, ...]:
        """One call: the notes, then the products; null for a product that is out."""
        if self._stage is None:
            self._stage = self._spec.factory()
        made = [await self._stage(products[0])] if self._spec.batch == 1 else await self._stage(list(products))
        if len(made) != len(products):
            raise ValueError(f"the stage {self._spec.name} made {len(made)} products of {len(products)}")
        notes = [each if isinstance(each, Rejection) else None for each in made]
        return notes, *(None if note else each for note, each in zip(notes, made, strict=True))

    async def close(self) -> None:
        """Close the stage, if it has something to close."""
        close = getattr(self._stage, "close", None)
        if close is not None:
            close()


class HereWorker:
    """A stage in this process."""

    def __init__(self, spec: StageSpec) -> None:
        self._host = StageHost(spec)

    async def run(self, products: Sequence[Any]) -> tuple[Notes, list[Any]]:
        """See ``Worker``."""
        notes, *made = await self._host.run(*products)
        return notes, made

    async def fetch(self, product: Any) -> Any:
        """See ``Worker``."""
        return product

    async def close(self) -> None:
        """See ``Worker``."""
        await self._host.close()


class RayWorker:
    """A stage in an actor; Ray starts it again when it dies, elsewhere if its node is gone.

    Args:
        ray: connected.
        spec: the stage.
        node: the id of the node to work on.
    """

    def __init__(self, ray: Any, spec: StageSpec, node: str) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray = ray
        self._actor = (
            ray.remote(StageHost)
            .options(
                num_cpus=0,
                max_restarts=-1,
                # One more than it is given, so that closing does not wait for a call that hangs.
                max_concurrency=spec.in_flight + 1,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
            )
            .remote(spec)
        )

    async def run(self, products: Sequence[Any]) -> tuple[Notes, list[Any]]:
        """See ``Worker``."""
        notes, *made = self._actor.run.options(num_returns=1 + len(products)).remote(*products)
        return await self._got(notes), made

    async def fetch(self, product: Any) -> Any:
        """See ``Worker``."""
        return await self._got(product)

    async def close(self) -> None:
        """See ``Worker``."""
        try:
            await asyncio.wait_for(self._actor.close.remote(), CLOSE_SECONDS)
        except (asyncio.TimeoutError, self._ray.exceptions.RayError):
            pass  # it is busy, or dead already: it goes either way
        finally:
            self._ray.kill(self._actor)

    async def _got(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return await reference
        except errors.RayTaskError as error:
            if isinstance(error.cause, (errors.RayActorError, errors.ObjectLostError)):
                raise WorkerLost(str(error.cause)) from error  # it was to be given what a dead worker had made
            raise error.cause if isinstance(error.cause, Exception) else error from error
        except (errors.RayActorError, errors.ObjectLostError, errors.WorkerCrashedError) as error:
            raise WorkerLost(str(error)) from error


def workers_of(specs: Iterable[StageSpec], ray: Any | None) -> list[list[Worker]]:
    """The workers of each stage: actors over the nodes of the connected Ray, or one each in this process."""
    if ray is None:
        return [[HereWorker(spec)] for spec in specs]
    nodes = places(ray.nodes())
    return [[RayWorker(ray, spec, next(nodes)) for _ in range(spec.actors)] for spec in specs]


def places(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Node ids without end, as often as their CPUs say.

    Actors claim no CPU, so that they never wait for one; left to Ray, all of them might stand on one node.

    Args:
        nodes: as ``ray.nodes()`` tells them.
    """
    cores = {node["NodeID"]: node["Resources"].get("CPU", 0.0) for node in nodes if node["Alive"]}
    if not any(cores.values()):
        cores = dict.fromkeys(cores, 1.0)
    taken = dict.fromkeys((node for node, cpus in cores.items() if cpus), 0)
    while True:
        best = min(taken, key=lambda node: (taken[node] + 1) / cores[node])
        taken[best] += 1
        yield best
