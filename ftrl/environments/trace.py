"""The order in which the sub-questions of a task can be answered."""

from __future__ import annotations

from collections.abc import Sequence

from ftrl.environments.schema import SubQuestion


def waves(trace: Sequence[SubQuestion]) -> list[list[SubQuestion]]:
    """The sub-questions in the fewest rounds such that each comes after all that it depends on.

    Raises:
        ValueError: the dependencies run in a circle or lead to a sub-question that is not there.
    """
    rounds: list[list[SubQuestion]] = []
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
