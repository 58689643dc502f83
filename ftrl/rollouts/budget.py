"""How much a collection may take."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.errors import FtrlError
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
        self._tokens, self._usd = config.budget_tokens, config.budget_usd
        self._spent_tokens, self._spent_usd = 0, 0.0
        if self._tokens is not None or self._usd is not None:
            for row in store.rows(["usage"]):
                self._add(None if row["usage"] is None else Usage.model_validate(row["usage"]))

    def admit(self, leases: Iterator[Lease]) -> Iterator[Lease]:
        """The work, as long as something is left."""
        while not self._is_spent() and (lease := next(leases, None)) is not None:
            yield lease

    def spend(self, trajectory: Trajectory) -> None:
        """Count a finished episode.

        Raises:
            FtrlError: nobody knows what it took.
        """
        if self._tokens is not None or self._usd is not None:
            self._add(trajectory.usage)

    @property
    def spent(self) -> str:
        """For people."""
        tokens = f"{self._spent_tokens:,} tokens generated"
        return tokens if self._usd is None else f"{tokens}, ${self._spent_usd:.2f}"

    def _add(self, usage: Usage | None) -> None:
        if usage is None:
            raise FtrlError("this provider does not say how many tokens a turn took, so no budget holds")
        if self._usd is not None and usage.usd is None:
            raise FtrlError(
                "what this model's tokens cost is not known, so no budget in dollars holds; say it with --price, or "
                "give --budget-tokens"
            )
        self._spent_tokens += usage.output
        self._spent_usd += usage.usd or 0.0

    def _is_spent(self) -> bool:
        return (self._tokens is not None and self._spent_tokens >= self._tokens) or (
            self._usd is not None and self._spent_usd >= self._usd
        )
