"""Tasks in chunks, whose prompts are made one chunk after the other while later ones are still being played.

The order of the tasks and the chunks' bounds depend on the tasks and the seed; the prompts of a chunk are made once the
last of its episodes is in the store. So the order in which prompts are trained on is the same whenever they came.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ftrl.environments import EnvironmentStore
from ftrl.rollouts import TrajectoryStore
from ftrl.rollouts.parts import read_batches
from ftrl.rollouts.store import is_trajectory_store
from ftrl.training.prompt_chunks import WAIT_SECONDS
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.selection import flat_tasks
from ftrl.training.snapshot_rows import READ_COLUMNS, SnapshotTokeniser, StreamSettings, random_numbers
from ftrl.training.stream import EPISODES_AT_ONCE


class TaskChunks:
    """The tasks of an iteration in the order of its seed, cut into chunks.

    Args:
        settings: say which tasks, and the seed.
        size: tasks of a chunk; the last one may have fewer.

    Attributes:
        size: see above.
        rows: of the tasks in their store, in this order.
        ids: of the tasks of each chunk.
    """

    def __init__(self, settings: StreamSettings, size: int) -> None:
        self.size = size
        ids = EnvironmentStore.open(settings.environments).ids()[: settings.limit]
        self.rows = sorted(range(len(ids)), key=lambda row: random_numbers(settings.seed, ids[row], b""))
        self.ids = [[ids[row] for row in self.rows[at : at + size]] for at in range(0, len(ids), size)]


class StoredChunks:
    """Which chunks the trajectory store has whole.

    Args:
        store: its path; there may be no store yet.
        iteration: whose episodes count.
        chunks: ids of the tasks of each chunk.
        samples: episodes of a task.
    """

    def __init__(self, store: str, iteration: int, chunks: Sequence[Sequence[str]], samples: int) -> None:
        self._store = store
        self._iteration = iteration
        self._chunk_of = {id_: number for number, ids in enumerate(chunks) for id_ in ids}
        self._wanted = [len(ids) * samples for ids in chunks]
        self._begin()

    def parts(self, chunk: int) -> list[str] | None:
        """The Parquet files with a chunk's episodes; None while one is missing."""
        if self._missing[chunk] and is_trajectory_store(self._store):
            self._look()
        return None if self._missing[chunk] else self._parts[chunk]

    def _begin(self) -> None:
        self._seen: set[str] = set()
        self._missing = list(self._wanted)
        self._parts: list[list[str]] = [[] for _ in self._wanted]

    def _look(self) -> None:
        there = TrajectoryStore.open(self._store).parts(self._iteration)
        if not self._seen.issubset(there):
            self._begin()  # somebody has made few large parts of many small ones
        for part in there:
            if part not in self._seen:
                self._seen.add(part)
                self._count(part)

    def _count(self, part: str) -> None:
        for table in read_batches(part, ["environment_id"]):
            for id_ in table["environment_id"].to_pylist():
                if (chunk := self._chunk_of.get(id_)) is None:
                    continue
                self._missing[chunk] -= 1
                if part not in self._parts[chunk][-1:]:
                    self._parts[chunk].append(part)


def make_chunks(settings: StreamSettings, size: int, samples: int, chunks: Sequence[PromptFiles]) -> None:
    """Make the prompts of each chunk that lacks them, as soon as its episodes are in the store.

    In this process, which is beside a collection and a trainer: it needs one CPU, and is a little ahead of both.

    Args:
        settings: see there.
        size: tasks of a chunk.
        samples: episodes of a task.
        chunks: their prompts.
    """
    tasks = TaskChunks(settings, size)
    stored = StoredChunks(settings.trajectories, settings.iteration, tasks.ids, samples)
    tokeniser = SnapshotTokeniser(settings)
    for number, (ids, prompts) in enumerate(zip(tasks.ids, chunks, strict=True)):
        if prompts.exist():
            continue
        while (parts := stored.parts(number)) is None:
            time.sleep(WAIT_SECONDS)
        tokeniser.flat_tasks = flat_tasks(parts) if settings.select.drop_flat_tasks else frozenset()
        rows = map(tokeniser, _episodes(parts, ids))
        prompts.make(len(ids) * samples, rows, settings.select)


def _episodes(parts: Sequence[str], tasks: Sequence[str]) -> Iterator[pa.Table]:
    """Episodes of these tasks, a few at a time."""
    wanted = pa.array(tasks)
    for part in parts:
        for table in read_batches(part, READ_COLUMNS):
            found = table.filter(pc.is_in(table["environment_id"], wanted))
            for start in range(0, len(found), EPISODES_AT_ONCE):
                yield found.slice(start, EPISODES_AT_ONCE)
