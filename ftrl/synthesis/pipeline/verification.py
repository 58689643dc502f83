"""The stage behind every generator's: from a ``Candidate`` to a ``Finished`` environment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ftrl.environments import Environment
from ftrl.models import Embedder
from ftrl.sandbox import Sandbox
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.pipeline.contamination import Contamination
from ftrl.synthesis.pipeline.sketch import Sketch, sketches
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
        embeddings: the folder of a model that reads what questions mean; null to compare words alone.
    """

    def __init__(self, workers: int, exclude: tuple[str, ...], embeddings: str | None = None) -> None:
        self._embedder = None if embeddings is None else Embedder(embeddings)
        self._contamination = Contamination(exclude, self._embedder)
        self._sandbox = Sandbox(workers=workers, cache_bytes=CACHE_BYTES, most_sources=MOST_SOURCES)

    async def __call__(self, candidates: Sequence[Candidate]) -> list[Finished | Rejection]:
        """Judge candidates together; in a thread, so that two calls overlap."""
        return await asyncio.to_thread(self._judge, candidates)

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    def _judge(self, candidates: Sequence[Candidate]) -> list[Finished | Rejection]:
        verdicts = verify(candidates, self._sandbox)
        sound = [
            c.environment for c, verdict in zip(candidates, verdicts, strict=True) if isinstance(verdict, Verified)
        ]
        made = iter(sketches(sound, self._embedder))
        return [
            verdict if isinstance(verdict, Rejection) else self._finished(candidate, verdict, next(made))
            for candidate, verdict in zip(candidates, verdicts, strict=True)
        ]

    def _finished(self, candidate: Candidate, verdict: Verified, made: Sketch) -> Finished | Rejection:
        if (overlap := self._contamination.of(candidate.environment, made)) is not None:
            return overlap
        provenance = {**candidate.environment.provenance, "verified": verdict.calls}
        environment = candidate.environment.model_copy(update={"provenance": provenance})
        return Finished(environment, candidate.sources, verdict.calls, made)
