"""Whether an environment overlaps with the evaluation sets that it must not help with."""

from __future__ import annotations

from ftrl.environments import Environment, open_tasks
from ftrl.models import Embedder
from ftrl.synthesis.pipeline.likeness import Bar, Likeness, LikenessIndex
from ftrl.synthesis.pipeline.sketch import Sketch
from ftrl.synthesis.verify import Rejection

BAR = Bar(question=0.5, tools=0.7, meaning=0.5, meant=0.5, whatever_answer=True, of_the_fewer=True)
"""Lower than within a store: an environment that is lost costs little, one that is let through spoils a benchmark."""


class Contamination:
    """Evaluation sets, ready to be compared with.

    Args:
        exclude: stores, or files in the published format.
        embedder: reads what questions mean; null to compare words alone.

    Raises:
        InputError: one of them cannot be read.
    """

    def __init__(self, exclude: tuple[str, ...], embedder: Embedder | None = None) -> None:
        self._index = LikenessIndex(BAR) if exclude else None
        if self._index is None:
            return
        for path in exclude:
            self._index.fill(((f"{task.id[:12]} of {path}", task) for task in open_tasks(path)), embedder)

    def of(self, environment: Environment, made: Sketch) -> Rejection | None:
        """What it overlaps with, as a rejection; null if with nothing."""
        if self._index is None or (found := self._index.find(made)) is None:
            return None
        return Rejection("contaminated", f"'{environment.question[-80:]}' is too much like {told(found)}")


def told(found: Likeness) -> str:
    """What it is like, and how much, for a person."""
    meaning = f"meaning {found.meaning:.0%}, " if found.meaning else ""
    return (
        f"{found.name} (question {found.question:.0%}, {meaning}tools {found.tools:.0%}, "
        f"golds and arguments {found.values:.0%} the same)"
    )
