"""Trajectories → rows, one a snapshot: the prompt in tokens, what its reward needs, and its place in the order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ftrl.environments import Environment, EnvironmentStore
from ftrl.rollouts.columns import TRAJECTORY_COLUMNS, trajectory_from_row
from ftrl.rollouts.prompts import render_prompt, tokenise
from ftrl.rollouts.snapshots import Snapshot, earlier_calls, snapshots
from ftrl.rollouts.trajectory import Trajectory
from ftrl.training.config import SelectConfig

OVER_LONG, FLAT_TASK = "over-long", "task without variance"
"""Why a snapshot is left out before it becomes a prompt."""

PROMPT_COLUMNS = pa.schema(
    {
        "environment_id": pa.string(),
        "trajectory_id": pa.string(),
        "step": pa.int32(),
        "prompt_ids": pa.list_(pa.int32()),
        "unsolved": pa.string(),
        "solve_rate": pa.float64(),
        "history": pa.string(),
        "data_source": pa.string(),
    }
)
"""What a prompt takes along: ``unsolved`` and ``history`` ([name, arguments, output] of earlier calls) are JSON."""

ROW_COLUMNS = pa.schema(
    [
        *PROMPT_COLUMNS,
        pa.field("sample", pa.int32()),
        pa.field("scenario", pa.string()),
        pa.field("order", pa.uint64()),
        pa.field("scenario_draw", pa.uint64()),
        pa.field("solve_rate_draw", pa.uint64()),
        pa.field("left_out", pa.string()),
    ]
)
"""A prompt, and by what it is ordered and selected. A row with ``left_out`` says only that, and why."""

UNREAD = ("turns", "metrics", "usage")
READ_COLUMNS = tuple(name for name in TRAJECTORY_COLUMNS.names if name not in UNREAD)
"""Columns of a trajectory that its snapshots need: without the sampled tokens, which are most of what there is."""


@dataclass(frozen=True)
class StreamSettings:
    """What is read, and how it becomes prompts.

    Attributes:
        trajectories: path of the trajectory store.
        iteration: the round whose trajectories are read.
        environments: path of the environment store.
        model: folder of the policy, for its tokenizer and chat template.
        max_prompt_tokens: longer prompts are left out.
        thinking: passed to the chat template as ``enable_thinking``.
        seed: decides the order.
        select: what else is left out.
        tokenisers: processes that render and tokenise, at most.
        limit: where tasks are made prompts of, only the first ones.
    """

    trajectories: str
    iteration: int
    environments: str
    model: str
    max_prompt_tokens: int
    thinking: bool
    seed: int
    select: SelectConfig = field(default_factory=SelectConfig)
    tokenisers: int = 1
    limit: int | None = None


class SnapshotTokeniser:
    """One Ray Data actor's work: trajectories in, rows out.

    Args:
        settings: see there.
        flat_tasks: ids of environments whose trajectories are left out; may be set anew.
    """

    def __init__(self, settings: StreamSettings, flat_tasks: frozenset[str] = frozenset()) -> None:
        from transformers import AutoTokenizer

        self._settings = settings
        self.flat_tasks = flat_tasks
        self._store = EnvironmentStore.open(settings.environments)
        self._tokenizer = AutoTokenizer.from_pretrained(settings.model)

    def __call__(self, table: pa.Table) -> pa.Table:
        """A batch of trajectory rows, only ``READ_COLUMNS`` of them, expanded to ``ROW_COLUMNS``."""
        trajectories = (trajectory_from_row({**row, "turns": (), "metrics": ()}) for row in table.to_pylist())
        rows = [
            row
            for trajectory in trajectories
            for row in self.rows(self._store.get(trajectory.environment_id), trajectory)
        ]
        return pa.Table.from_pylist(rows, schema=ROW_COLUMNS)

    def rows(self, environment: Environment, trajectory: Trajectory) -> Iterator[dict[str, Any]]:
        """The rows of one trajectory in its environment, in order."""
        for snapshot in snapshots(environment, trajectory):
            if environment.id in self.flat_tasks:
                yield {"left_out": FLAT_TASK}
                continue
            text = render_prompt(
                self._tokenizer, snapshot.messages, environment.tools, thinking=self._settings.thinking
            )
            prompt_ids = tokenise(self._tokenizer, text)
            if len(prompt_ids) > self._settings.max_prompt_tokens:
                yield {"left_out": OVER_LONG}
                continue
            yield self._row(environment, trajectory, snapshot, prompt_ids)

    def _row(
        self, environment: Environment, trajectory: Trajectory, snapshot: Snapshot, prompt_ids: list[int]
    ) -> dict[str, Any]:
        # A state that may come but once meets its like in the order: they are told by their tokens, not by who played.
        same = np.asarray(prompt_ids, np.int32).tobytes()
        apart = f"{trajectory.sample}\0{snapshot.step}".encode()
        numbers = random_numbers(
            self._settings.seed, environment.id, same if self._settings.select.drop_repeated_states else apart
        )
        return {
            "environment_id": environment.id,
            "trajectory_id": trajectory.id,
            "step": snapshot.step,
            "prompt_ids": prompt_ids,
            "unsolved": json.dumps(snapshot.unsolved, ensure_ascii=False),
            "solve_rate": snapshot.solve_rate,
            "history": json.dumps(
                [(call.name, call.arguments, call.output) for call in earlier_calls(snapshot.messages)],
                ensure_ascii=False,
            ),
            "data_source": environment.data_source,
            "sample": trajectory.sample,
            "scenario": environment.scenario.value,
            **dict(zip(("order", "scenario_draw", "solve_rate_draw"), numbers, strict=True)),
        }


def random_numbers(seed: int, environment_id: str, state: bytes) -> tuple[int, int, int]:
    """Three random numbers of 64 bits, the same for the same state wherever and whenever it was played."""
    digest = hashlib.blake2b(f"{seed}\0{environment_id}\0".encode() + state, digest_size=24).digest()
    return tuple(int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16))  # type: ignore[return-value]
