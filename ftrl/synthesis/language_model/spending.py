"""One budget for all stages of a run, wherever they work."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from ftrl.llm import Budget, ExchangeFolder, LocalBudget, ledger
from ftrl.ray_session import our_errors
from ftrl.synthesis.config import SynthesisConfig


def budget_of(config: SynthesisConfig) -> Budget:
    """The budget that all stages of a run share: what is in the store's record counts as spent."""
    run = config.language_model
    if run is None or run.replay is not None or (run.budget_tokens is None and run.budget_usd is None):
        return LocalBudget()
    import ray

    from ftrl.synthesis.language_model.generator import exchange_folder

    if not ray.is_initialized():
        return _here(exchange_folder(config), run.budget_tokens, run.budget_usd)
    where = (exchange_folder(config), ray.get_runtime_context().get_job_id())
    name = hashlib.sha256(repr(where).encode()).hexdigest()[:16]
    actor: Any = ray.remote(_BudgetActor)
    handle = actor.options(name=f"ftrl-budget-{name}", get_if_exists=True, num_cpus=0, max_restarts=-1).remote(
        exchange_folder(config), run.budget_tokens, run.budget_usd
    )
    return _SharedBudget(handle)


def _begun(folder: str, tokens: int | None, usd: float | None) -> LocalBudget:
    spent = ledger(ExchangeFolder(folder))["all"]
    return LocalBudget(tokens, usd, spent.tokens, spent.usd or 0.0)


@lru_cache(maxsize=8)
def _here(folder: str, tokens: int | None, usd: float | None) -> LocalBudget:
    """The budget of this process, where its stages are no actors."""
    return _begun(folder, tokens, usd)


class _BudgetActor:
    """The budget, in a Ray actor; begun anew, it counts what the record says."""

    def __init__(self, folder: str, tokens: int | None, usd: float | None) -> None:
        self._budget = _begun(folder, tokens, usd)

    async def admit(self) -> None:
        await self._budget.admit()

    async def spend(self, tokens: int | None, usd: float | None) -> None:
        await self._budget.spend(tokens, usd)


class _SharedBudget:
    """The same, for a stage."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def admit(self) -> None:
        await self._ask(self._actor.admit.remote())

    async def spend(self, tokens: int | None, usd: float | None) -> None:
        await self._ask(self._actor.spend.remote(tokens, usd))

    async def _ask(self, reference: Any) -> None:
        with our_errors():
            await reference
