"""The order in which the sub-questions of a task can be answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Hop(Protocol):
    """A sub-question, in whatever stage of its making."""

    @property
    def id(self) -> str:
        """Its name within the task."""

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Names of those whose answers it needs."""


H = TypeVar("H", bound=Hop)


def waves(trace: Sequence[H]) -> list[list[H]]:
    """The sub-questions in the fewest rounds such that each comes after all that it depends on.

    Raises:
        ValueError: the dependencies run in a circle or lead to a sub-question that is not there.
    """
    rounds: list[list[H]] = []
    waiting = list(trace)
    done: set[str] = set()
    while waiting:
        ready = [step for step in waiting if done.issuperset(step.depends_on)]
        if not ready:
            stuck = ", ".join(step.id for step in waiting)
            raise ValueError(f"the dependencies of {stuck} run in a circle or lead nowhere")
        rounds.append(ready)
        done.update(step.id for step in ready)
        waiting = [step for step in waiting if step not in ready]
    return rounds
