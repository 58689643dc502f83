"""Build, verify, write: the loop around the stages.

Items go in batches, since verification is cheapest in bulk; memory holds one batch. The store is committed
block by block, so that an interrupted run keeps what it has and ``resume`` goes on behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ftrl.environments import EnvironmentStore
from ftrl.environments.store import is_store
from ftrl.errors import FtrlError, InputError
from ftrl.sandbox import Sandbox
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.config import SynthesisConfig, SynthesisReport
from ftrl.synthesis.tables.facts import Facts, NothingToAsk
from ftrl.synthesis.tables.generator import build, opened_facts
from ftrl.synthesis.tally import Tally
from ftrl.synthesis.verify import Rejection, Verified, verify

BATCH = 64
"""Items that are verified together."""

BLOCK = 32 * BATCH
"""Items after which the store is committed."""

ATTEMPTS = 3
"""How often an item is drawn anew before it is given up."""

Progress = Callable[[SynthesisReport], None]
"""Told after each batch how far the run is."""


def synthesize(config: SynthesisConfig, progress: Progress | None = None) -> SynthesisReport:
    """Make verified environments and write them to a store.

    Every environment in the store passed every rule of ``verify``. The same configuration makes the same
    environments, in the same order; a larger ``count`` adds to them.

    Raises:
        InputError: the generator is not available, or there is a store already that does not fit.
        FtrlError: not one item was accepted, or the sandbox cannot run.
    """
    if config.generator == "llm":
        raise InputError(
            "the llm generator is not available yet in this version; use --generator tables",
            field="generator",
        )
    started = time.monotonic()
    with opened_facts(config) as facts:
        first, kept = _resume_point(config, facts)
        tally = Tally(SynthesisReport(out=config.out, kept=kept))
        _write(config, facts, range(first, config.count), tally, started, progress)
    report = tally.report(config.count, time.monotonic() - started)
    if report.candidates and not report.accepted:
        raise FtrlError(f"none of {report.candidates} candidates was accepted; the first: {report.examples[0]}")
    return report


def _write(
    config: SynthesisConfig, facts: Facts, items: range, tally: Tally, started: float, progress: Progress | None
) -> None:
    with Sandbox(workers=config.workers) as sandbox:
        for block in _cut(items, BLOCK):
            with EnvironmentStore.create(config.out, append=block.start > 0) as writer:
                for batch in _cut(block, BATCH):
                    for candidate, verified in _accepted(config, facts, batch, sandbox, tally):
                        provenance = {**candidate.environment.provenance, "verified": verified.calls}
                        environment = candidate.environment.model_copy(update={"provenance": provenance})
                        writer.add(environment, candidate.sources)
                        tally.accept(candidate, verified)
                    if progress is not None:
                        progress(tally.report(batch.stop, time.monotonic() - started))


def _accepted(
    config: SynthesisConfig, facts: Facts, batch: range, sandbox: Sandbox, tally: Tally
) -> Iterator[tuple[Candidate, Verified]]:
    """The batch's items that hold, in order; those rejected are drawn anew, together."""
    accepted: dict[int, tuple[Candidate, Verified]] = {}
    missing = list(batch)
    for attempt in range(ATTEMPTS):
        drawn = {index: _draw(config, facts, index, attempt) for index in missing}
        candidates = {index: made for index, made in drawn.items() if isinstance(made, Candidate)}
        verdicts = dict(zip(candidates, verify(list(candidates.values()), sandbox), strict=True))
        rejected = []
        for index, made in drawn.items():
            verdict = made if isinstance(made, Rejection) else verdicts[index]
            if isinstance(verdict, Rejection):
                tally.reject(index, verdict)
                rejected.append(index)
            else:
                accepted[index] = (candidates[index], verdict)
        missing = rejected
        if not missing:
            break
    tally.give_up(len(missing))
    for index in batch:
        if index in accepted:
            yield accepted[index]


def _draw(config: SynthesisConfig, facts: Facts, index: int, attempt: int) -> Candidate | Rejection:
    try:
        return build(config, facts, index, attempt)
    except NothingToAsk as nothing:
        return Rejection("nothing_to_ask", str(nothing))


def _resume_point(config: SynthesisConfig, facts: Facts) -> tuple[int, int]:
    """The first item to make, and how many environments the store has."""
    if not config.resume or not is_store(config.out):
        return 0, 0
    store = EnvironmentStore.open(config.out)
    if not len(store):
        raise InputError("the store to resume is empty; remove it and start anew", file=config.out)
    last = store[len(store) - 1]
    index = last.provenance.get("index")
    if last.provenance.get("generator") != "tables" or not isinstance(index, int):
        raise InputError("the store to resume was not made by the tables generator", file=config.out)
    attempt = last.provenance.get("attempt", 0)
    if build(config, facts, index, attempt).environment.id != last.id:
        raise InputError(
            f"the last environment (item {index}) is not what these options make; resume with the same seed, "
            "split, scenarios, style and distractors, in the same version of ftrl",
            file=config.out,
        )
    return index + 1, len(store)


def _cut(items: range, size: int) -> Iterator[range]:
    for start in range(items.start, items.stop, size):
        yield range(start, min(start + size, items.stop))
