"""How much a collection may take."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.errors import FtrlError
from ftrl.llm import Spending
from ftrl.rollouts.leases import Lease
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.store import TrajectoryStore
from ftrl.rollouts.trajectory import Trajectory, Usage


class RunBudget:
    """What the store's episodes may take; those that are being played when it is spent are still played to their end.

    Args:
        config: with the budgets.
        store: whose episodes have spent some of it already.
    """

    def __init__(self, config: CollectConfig, store: TrajectoryStore) -> None:
        self._spending = Spending(config.budget_tokens, config.budget_usd)
        self._limited = config.budget_tokens is not None or config.budget_usd is not None
        if self._limited:
            for row in store.rows(["usage"]):
                self._add(None if row["usage"] is None else Usage.model_validate(row["usage"]))

    def admit(self, leases: Iterator[Lease]) -> Iterator[Lease]:
        """The work, as long as something is left."""
        while self._spending.over is None and (lease := next(leases, None)) is not None:
            yield lease

    def spend(self, trajectory: Trajectory) -> None:
        """Count a finished episode.

        Raises:
            FtrlError: nobody knows what it took.
        """
        if self._limited:
            self._add(trajectory.usage)

    @property
    def spent(self) -> str:
        """For people."""
        tokens = f"{self._spending.spent_tokens:,} tokens generated"
        return tokens if self._spending.usd is None else f"{tokens}, ${self._spending.spent_usd:.2f}"

    def _add(self, usage: Usage | None) -> None:
        if usage is None:
            raise FtrlError("this provider does not say how many tokens a turn took, so no budget holds")
        self._spending.add(usage.output, usage.usd)
