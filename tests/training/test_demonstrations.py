"""What a policy is shown before it practises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ftrl.environments import EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rollouts import EpisodeSettings
from ftrl.sandbox import Sandbox
from ftrl.training.demonstrations import Recitals, Reciter

pytest.importorskip("transformers")

ENOUGH = 4096


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as opened:
        yield opened


def recited(
    tasks: EnvironmentStore, tiny: Path, sandbox: Sandbox, *, context: int = ENOUGH, turn: int = 512
) -> tuple[Any, list[dict[str, Any]]]:
    """The reciter's tokenizer, and the rows that it makes of all tasks."""
    reciter = Reciter(Recitals(tasks.path, str(tiny), EpisodeSettings(max_response_tokens=turn), context))
    reciter._sandbox = sandbox  # no Ray is needed for this

    async def play() -> list[dict[str, Any]]:
        return [
            row for part in tasks.parts() async for table in reciter(pq.read_table(part)) for row in table.to_pylist()
        ]

    return reciter._tokenizer, asyncio.run(play())


def test_each_task_is_one_sequence_in_which_its_golden_turns_are_learnt_to_their_ends(
    tasks: EnvironmentStore, tiny: Path, sandbox: Sandbox
) -> None:
    tokenizer, rows = recited(tasks, tiny, sandbox)
    assert len(rows) == len(tasks)
    for environment, row in zip(tasks, rows, strict=True):
        learnt = [token for token, mask in zip(row["input_ids"], row["loss_mask"], strict=True) if mask]
        assert tokenizer.decode(learnt).split(tokenizer.eos_token) == [*golden_turns(environment), ""]
        told = [token for token, mask in zip(row["input_ids"], row["loss_mask"], strict=True) if not mask]
        assert environment.question in tokenizer.decode(told)


def test_a_task_that_does_not_fit_is_not_shown_in_part(tasks: EnvironmentStore, tiny: Path, sandbox: Sandbox) -> None:
    _, whole = recited(tasks, tiny, sandbox)
    longest = max(len(row["input_ids"]) for row in whole)
    _, fewer = recited(tasks, tiny, sandbox, context=longest - 1)
    assert [row for row in whole if len(row["input_ids"]) < longest] == fewer
    assert not recited(tasks, tiny, sandbox, turn=4)[1]
