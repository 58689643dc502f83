"""One budget for all stages, in this process and across Ray actors."""

from __future__ import annotations

import asyncio

import pytest

from ftrl.llm import BudgetSpent
from ftrl.ray_session import ray_session
from ftrl.synthesis import synthesize
from ftrl.synthesis.language_model.spending import budget_of


def spend_between_two(made) -> None:
    async def go() -> None:
        one, other = budget_of(made), budget_of(made)
        await one.admit()
        await one.spend(60, None)
        await other.admit()
        await other.spend(60, None)
        with pytest.raises(BudgetSpent, match=r"120 of 100 tokens"):
            await one.admit()

    asyncio.run(go())


def test_stages_in_one_process_share_a_budget(config):
    spend_between_two(config(0, budget_tokens=100))


@pytest.mark.e2e
def test_stages_in_ray_actors_share_a_budget(config):
    with ray_session():
        spend_between_two(config(0, budget_tokens=100))


def test_what_is_in_the_record_counts_as_spent(config, server):
    made = config(0, out="first")
    synthesize(made)
    spent = server.input_tokens + server.output_tokens
    again = made.model_copy(update={"language_model": made.language_model.model_copy(update={"budget_tokens": spent})})
    with pytest.raises(BudgetSpent, match=f"{spent:,} of {spent:,} tokens"):
        asyncio.run(budget_of(again).admit())
