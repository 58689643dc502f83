"""``synthesize``: a generator's stages, verification behind them, the store at the end.

A small run works in this process, since a Ray takes longer to start than it would save; any other on Ray actors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from ftrl.environments import EnvironmentStore, is_store, open_tasks
from ftrl.errors import FtrlError, InputError
from ftrl.models import check_embedding_folder
from ftrl.ray_session import ray_session
from ftrl.synthesis.config import SynthesisConfig, SynthesisReport
from ftrl.synthesis.pipeline.flow import Flow
from ftrl.synthesis.pipeline.generator import BATCH, Generator, generator_of
from ftrl.synthesis.pipeline.journal import Journal
from ftrl.synthesis.pipeline.stage import StageSpec
from ftrl.synthesis.pipeline.verification import VerifyStage
from ftrl.synthesis.pipeline.workers import workers_of
from ftrl.synthesis.pipeline.writing import StoreWriting
from ftrl.synthesis.tally import Tally

SMALL = 256
"""A run of no more items than this works in this process."""

WINDOW = 4
"""How often the items that the stages can hold may be begun and not settled: room for stragglers."""

PROGRESS_SECONDS = 0.2
"""Between one telling of progress and the next, at least;"""

TICK_SECONDS = 1.0
"""at most, as long as the run waits for its stages."""

Progress = Callable[[SynthesisReport], None]
"""Told now and then how far the run is."""


def synthesize(config: SynthesisConfig, progress: Progress | None = None) -> SynthesisReport:
    """Make verified environments and write them to a store.

    Every environment in the store passed every rule of ``verify``, is like no other of the store and like none of
    ``config.exclude``. The same configuration makes the same environments, in the same order; a larger ``count``
    adds to them.

    Raises:
        InputError: the generator is not available, or there is a store already that does not fit.
        FtrlError: not one item was accepted, or a stage failed by no fault of an item; what was finished is kept.
    """
    generator = generator_of(config)
    started = time.monotonic()
    for path in config.exclude:
        open_tasks(path)  # refused now, and not by each actor
    if config.embeddings is not None:
        check_embedding_folder(config.embeddings)
    kept = EnvironmentStore.open(config.out) if config.resume and is_store(config.out) else None
    first = 0 if kept is None else _behind(kept, generator)
    on_ray = generator.ray or config.count - first > SMALL
    tally = Tally(SynthesisReport(out=config.out, kept=len(kept) if kept is not None else 0))
    with ray_session() if on_ray else nullcontext() as ray:
        run = _Run(config, generator, ray, tally, progress, started)
        asyncio.run(run.go(kept, first))
    report = run.report(end=True).model_copy(update={"ledger": generator.ledger()})
    if report.candidates and not report.accepted:
        raise FtrlError(f"none of {report.candidates} candidates was accepted; the first: {report.examples[0]}")
    return report


class _Run:
    """One call of ``synthesize``."""

    def __init__(
        self,
        config: SynthesisConfig,
        generator: Generator,
        ray: Any | None,
        tally: Tally,
        progress: Progress | None,
        started: float,
    ) -> None:
        self._config = config
        self._generator = generator
        self._ray = ray
        self._tally = tally
        self._progress = progress
        self._started = started
        self._told = 0.0

    async def go(self, kept: EnvironmentStore | None, first: int) -> None:
        """Do it all.

        Raises:
            FtrlError: see ``synthesize``; says how to go on.
        """
        stages = (*self._generator.stages, self._verification())
        window = WINDOW * sum(spec.batch * spec.in_flight * spec.actors for spec in stages)
        given_up = Journal(self._config.out).given_up() if kept is not None else set()
        items = (item for item in self._generator.items(first) if item.index not in given_up)
        try:
            out, embeddings = self._config.out, self._config.embeddings
            with StoreWriting(out, kept, first, self._tally, self._tell, embeddings) as self._writing:
                workers = workers_of(stages, self._ray)
                self._flow = Flow(stages, workers, self._writing, self._generator.attempts, window)
                ticking = asyncio.create_task(self._tick())
                try:
                    await self._flow.run(items)
                finally:
                    ticking.cancel()
        except InputError:
            raise
        except FtrlError as error:
            raise FtrlError(f"{error} ({self._how_to_go_on()})") from error
        self._tell(now=True)

    def report(self, *, end: bool = False) -> SynthesisReport:
        """How far the run is."""
        done = self._config.count if end else self._writing.next
        return self._tally.report(done, time.monotonic() - self._started, self._flow.counts)

    def _tell(self, *, now: bool = False) -> None:
        if self._progress is not None and (now or time.monotonic() - self._told >= PROGRESS_SECONDS):
            self._progress(self.report())
            self._told = time.monotonic()

    async def _tick(self) -> None:
        """Tell of stages that are at work while no item is settled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._flow.tell()
            self._tell()

    def _verification(self) -> StageSpec:
        workers, exclude = self._config.workers, self._config.exclude
        here = self._ray is None
        factory = partial(VerifyStage, workers if here else 1, exclude, self._config.embeddings)
        return StageSpec("verify", factory, actors=1 if here else workers, in_flight=2, batch=BATCH)

    def _how_to_go_on(self) -> str:
        finished = self.report().accepted
        if not is_store(self._config.out):
            return "nothing was finished before that"
        return f"{finished} environments of this run are in {self._config.out}; --resume goes on behind them"


def _behind(kept: EnvironmentStore, generator: Generator) -> int:
    """The first item behind the last one of a store."""
    if not len(kept):
        raise InputError("the store to resume is empty; remove it and start anew", file=kept.path)
    last = kept[len(kept) - 1]
    generator.check(last)
    return int(last.provenance["index"]) + 1
