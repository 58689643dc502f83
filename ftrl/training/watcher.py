"""Whoever looks on while a run goes on: it is told of stages, notes and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ftrl.training.step_metrics import StepMetrics

if TYPE_CHECKING:
    from ftrl.training.runner import OnStep


class Watcher(Protocol):
    """Is told how a run goes on; the command line shows it."""

    def stage(self, iteration: int, name: str) -> None:
        """A stage begins: ``collect``, ``train`` or ``merge``."""

    def note(self, iteration: int, text: str) -> None:
        """Something that is worth a line."""

    def step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """A training step has finished."""


def noted(metrics: StepMetrics, trained: int, watcher: Watcher) -> OnStep:
    """For a trainer that goes on after the step ``trained``: what is told each step, to note it and tell it on."""
    metrics.rewind(trained)

    def note(step: int, total: int, values: Mapping[str, float]) -> None:
        metrics.append(step, total, values)
        watcher.step(step, total, values)

    return note
