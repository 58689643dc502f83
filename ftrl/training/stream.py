"""Trajectories → prompts for the trainer, as a stream (paper, section 3.3).

Ray Data reads the trajectory store part by part, joins each trajectory with its environment, expands it into one
snapshot per step (the conversation so far is the prompt), renders and tokenises the snapshot with the policy's chat
template and drops what is over-long. The trainer takes batches while the rest is still being read.

``PromptStream`` stands where verl expects its data loader: iterating yields batches, ``state_dict`` is the position.
The order of rows depends on the store and the seed alone, so a position means the same rows after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ftrl.environments import Environment, EnvironmentStore
from ftrl.errors import InputError
from ftrl.rollouts.columns import trajectory_from_row
from ftrl.rollouts.prompts import render_prompt, tokenise
from ftrl.rollouts.snapshots import earlier_calls, snapshots
from ftrl.rollouts.store import TrajectoryStore
from ftrl.rollouts.trajectory import Trajectory

SHUFFLE_BUFFER = 2048
"""Rows among which the order is shuffled; bounds the stream's memory."""

Batch = dict[str, "np.ndarray[Any, np.dtype[Any]]"]
"""Column name → object array with one value per prompt, as verl takes it."""


@dataclass(frozen=True)
class StreamSettings:
    """What the stream reads and how it makes prompts.

    Attributes:
        trajectories: path of the trajectory store.
        iteration: the round whose trajectories are read.
        environments: path of the environment store.
        model: folder of the policy, for its tokenizer and chat template.
        batch_size: prompts per batch.
        max_prompt_tokens: longer prompts are dropped.
        thinking: passed to the chat template as ``enable_thinking``.
        seed: decides the order.
    """

    trajectories: str
    iteration: int
    environments: str
    model: str
    batch_size: int
    max_prompt_tokens: int
    thinking: bool
    seed: int


def count_prompts(settings: StreamSettings) -> int:
    """How many prompts an epoch has, read from the lengths that were recorded when the trajectories were sampled.

    The state after an episode's last turn was never sampled from; it is counted as if it fitted.

    Raises:
        InputError: the trajectories are of a provider's model, without tokens.
    """
    store = TrajectoryStore.open(settings.trajectories)
    store.refuse_without_tokens(settings.iteration)
    prompts = 0
    for row in store.rows(["calls", "turns"], iteration=settings.iteration):
        states = 1 + len({call["turn"] for call in json.loads(row["calls"])})
        lengths = [turn["prompt_tokens"] for turn in row["turns"][:states]]
        prompts += states - sum(length > settings.max_prompt_tokens for length in lengths)
    return prompts


class SnapshotTokeniser:
    """One Ray Data actor's work: trajectories in, tokenised snapshots out."""

    def __init__(self, settings: StreamSettings) -> None:
        from transformers import AutoTokenizer

        self._settings = settings
        self._store = EnvironmentStore.open(settings.environments)
        self._tokenizer = AutoTokenizer.from_pretrained(settings.model)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Expand a batch of trajectory rows.

        Returns:
            Columns ``environment_id``, ``trajectory_id``, ``step``, ``prompt_ids`` (list of int32), ``unsolved``
            (JSON), ``solve_rate``, ``history`` (JSON: [name, arguments, output] of every earlier call),
            ``data_source``.
        """
        trajectories = map(trajectory_from_row, table.to_pylist())
        rows = [row for trajectory in trajectories for row in self._rows(trajectory)]
        schema = pa.schema(
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
        return pa.Table.from_pylist(rows, schema=schema)

    def _rows(self, trajectory: Trajectory) -> Iterator[dict[str, Any]]:
        environment: Environment = self._store.get(trajectory.environment_id)
        for snapshot in snapshots(environment, trajectory):
            text = render_prompt(
                self._tokenizer, snapshot.messages, environment.tools, thinking=self._settings.thinking
            )
            prompt_ids = tokenise(self._tokenizer, text)
            if len(prompt_ids) > self._settings.max_prompt_tokens:
                continue
            yield {
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
            }


class PromptStream:
    """Batches of prompts, epoch after epoch, with a position that can be saved."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._consumed = 0

    def __iter__(self) -> Iterator[Batch]:
        """One epoch, from the saved position on.

        Raises:
            InputError: there are fewer prompts than one batch needs.
        """
        skip, seen = self._consumed, 0
        for table in self._batches():
            seen += 1
            if seen <= skip:
                continue
            self._consumed = seen
            yield _as_batch(table)
        if not seen:
            raise InputError(
                f"the trajectories give fewer prompts of at most {self._settings.max_prompt_tokens} tokens than one "
                f"batch of {self._settings.batch_size}; collect more, lower optim.batch_size or raise "
                "optim.max_prompt_tokens",
                file=self._settings.trajectories,
            )
        self._consumed = 0

    def _batches(self) -> Iterator[pa.Table]:
        dataset = self.dataset()
        yield from dataset.iter_batches(
            batch_size=self._settings.batch_size,
            batch_format="pyarrow",
            drop_last=True,
            local_shuffle_buffer_size=max(SHUFFLE_BUFFER, self._settings.batch_size),
            local_shuffle_seed=self._settings.seed,
        )

    def dataset(self) -> Any:
        """The lazy Ray dataset of tokenised snapshots, in the store's order."""
        import ray

        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        store = TrajectoryStore.open(self._settings.trajectories)
        store.refuse_without_tokens(self._settings.iteration)
        parts = store.parts(iteration=self._settings.iteration)
        return ray.data.read_parquet(parts).map_batches(
            SnapshotTokeniser,
            fn_constructor_args=(self._settings,),
            batch_size=64,
            batch_format="pyarrow",
            concurrency=1,
        )

    def state_dict(self) -> dict[str, int]:
        """The position: batches taken in this epoch."""
        return {"consumed": self._consumed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches that ``state`` counts."""
        self._consumed = state["consumed"]


def _as_batch(table: pa.Table) -> Batch:
    batch: Batch = {}
    for name in table.column_names:
        column = np.empty(table.num_rows, dtype=object)
        column[:] = table.column(name).to_pylist()
        batch[name] = column
    # verl counts the rows of a batch by this column, and keys its bookkeeping by "index".
    batch["raw_prompt"] = batch["trajectory_id"]
    batch["index"] = np.arange(table.num_rows, dtype=object)
    return batch
