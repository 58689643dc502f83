"""Trajectories → prompts for the trainer (paper, section 3.3).

Ray Data reads the trajectory store part by part, joins each trajectory with its environment, expands it into one
snapshot per step (the conversation so far is the prompt), renders and tokenises it with the policy's chat template.
What is selected goes to disk in the order in which it is trained on (``prompt_files``), and is tokenised but once:
epochs and restarts read it again. Where collection goes on beside training, ``chunks`` does the same piece by piece.

``PromptStream`` stands where verl expects its data loader: iterating yields batches, ``state_dict`` is the position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ftrl.ray_session import our_errors
from ftrl.rollouts.store import TrajectoryStore
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.reading import worked_on
from ftrl.training.selection import Selected, flat_tasks
from ftrl.training.snapshot_rows import READ_COLUMNS, SnapshotTokeniser, StreamSettings

EPISODES_AT_ONCE = 32
"""Trajectories that a tokeniser takes at a time: their snapshots are what it holds."""

Batch = dict[str, "np.ndarray[Any, np.dtype[Any]]"]
"""Column name → object array with one value per prompt, as verl takes it."""


def prepare(settings: StreamSettings, prompts: PromptFiles) -> Selected:
    """Make the prompts of an iteration.

    Raises:
        InputError: the trajectories are of a provider's model, without tokens.
    """
    store = TrajectoryStore.open(settings.trajectories)
    store.refuse_without_tokens(settings.iteration)
    parts = store.parts(settings.iteration)
    rows = _rows(settings, flat_tasks(parts) if settings.select.drop_flat_tasks else frozenset(), parts)
    return prompts.make(store.count(settings.iteration), rows, settings.select)


def prepare_apart(
    settings: StreamSettings,
    prompts: PromptFiles,
    prepare: Callable[[StreamSettings, PromptFiles], object] = prepare,
) -> None:
    """``prepare``, or another maker of prompts, in a process of its own, which takes Ray Data's log and memory with it.

    Raises:
        FtrlError: see there.
    """
    import ray

    with our_errors():
        # A process that is killed is replaced by Ray, and begins anew.
        ray.get(ray.remote(num_cpus=1)(prepare).remote(settings, prompts))


def _rows(settings: StreamSettings, flat: frozenset[str], parts: list[str]) -> Iterator[pa.Table]:
    """Snapshots of the store's parts as rows, in any order."""
    return worked_on(
        parts,
        SnapshotTokeniser,
        (settings, flat),
        at_once=EPISODES_AT_ONCE,
        columns=READ_COLUMNS,
        workers=settings.tokenisers,
    )


class PromptStream:
    """Batches of prompts, epoch after epoch, with a position that can be saved.

    Args:
        prompts: what ``prepare`` made; or chunks that are still being made, for which it waits.
        batch_size: prompts per batch; what is left over at the end of an epoch is not used in it.
    """

    def __init__(self, prompts: PromptFiles | PromptChunks, batch_size: int) -> None:
        self._prompts = prompts
        self._batch_size = batch_size
        self._consumed = 0

    def __iter__(self) -> Iterator[Batch]:
        """One epoch, from the saved position on."""
        held: list[pa.Table] = []
        for table in self._prompts.read(self._consumed * self._batch_size):
            held.append(table)
            while sum(map(len, held)) >= self._batch_size:
                whole = pa.concat_tables(held)
                held = [whole.slice(self._batch_size)]
                self._consumed += 1
                yield _as_batch(whole.slice(0, self._batch_size))
        self._consumed = 0

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
