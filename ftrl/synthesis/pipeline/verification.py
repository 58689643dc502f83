"""The stage behind every generator's: from a ``Candidate`` to a ``Finished`` environment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ftrl.environments import Environment
from ftrl.sandbox import Sandbox
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.pipeline.contamination import Contamination
from ftrl.synthesis.pipeline.sketch import Sketch, sketch
from ftrl.synthesis.verify import Rejection, Verified, verify

CACHE_BYTES = 4 << 20
"""For results of golden calls, which are wanted again in the same minute, for the golden trajectory."""

MOST_SOURCES = 2_000
"""Those of the batches under way: an environment's tools are called while it is verified, and never again."""


@dataclass(frozen=True)
class Finished:
    """An environment that holds, ready for the store.

    Attributes:
        sources: tool name to source.
        calls: sandbox calls that proved it, by purpose.
        sketch: by which near-duplicates know each other.
    """

    environment: Environment
    sources: dict[str, str]
    calls: dict[str, int]
    sketch: Sketch


class VerifyStage:
    """Verifies in a sandbox of its own.

    Args:
        workers: of the sandbox.
        exclude: evaluation sets that nothing may overlap with.
    """

    def __init__(self, workers: int, exclude: tuple[str, ...]) -> None:
        self._sandbox = Sandbox(workers=workers, cache_bytes=CACHE_BYTES, most_sources=MOST_SOURCES)
        self._contamination = Contamination(exclude)

    async def __call__(self, candidates: Sequence[Candidate]) -> list[Finished | Rejection]:
        """Judge candidates together; in a thread, so that two calls overlap."""
        return await asyncio.to_thread(self._judge, candidates)

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    def _judge(self, candidates: Sequence[Candidate]) -> list[Finished | Rejection]:
        verdicts = verify(candidates, self._sandbox)
        return [self._finished(candidate, verdict) for candidate, verdict in zip(candidates, verdicts, strict=True)]

    def _finished(self, candidate: Candidate, verdict: Verified | Rejection) -> Finished | Rejection:
        if isinstance(verdict, Rejection):
            return verdict
        made = sketch(candidate.environment)
        if (overlap := self._contamination.of(candidate.environment, made)) is not None:
            return overlap
        provenance = {**candidate.environment.provenance, "verified": verdict.calls}
        environment = candidate.environment.model_copy(update={"provenance": provenance})
        return Finished(environment, candidate.sources, verdict.calls, made)
