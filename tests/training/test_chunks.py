"""Prompts are made chunk by chunk, as episodes come: the same ones in the same order, whatever came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.rollouts import Trajectory, TrajectoryStore
from ftrl.training.chunks import StoredChunks, TaskChunks, make_chunks
from ftrl.training.config import SelectConfig
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.stream import PromptStream

SIZE = 5
"""Tasks of a chunk: twelve are two and a rest."""

pytestmark = pytest.mark.e2e  # the tools of the episodes run in a sandbox


def stored(settings: StreamSettings, folder: Path, episodes: Sequence[Trajectory], at_once: int = 1) -> StreamSettings:
    """The episodes in a store of their own, so many a part."""
    store = TrajectoryStore.create(str(folder), run="test")
    store.begin(TrajectoryStore.open(settings.trajectories).collections[0])
    for start in range(0, len(episodes), at_once):
        store.append(episodes[start : start + at_once])
    return replace(settings, trajectories=store.path)


def made(settings: StreamSettings, folder: Path, samples: int = 1) -> PromptChunks:
    """All chunks."""
    chunks = [PromptFiles(folder / str(number)) for number in range(len(TaskChunks(settings, SIZE).ids))]
    make_chunks(settings, SIZE, samples, chunks)
    return PromptChunks(chunks)


def rows(prompts: PromptChunks) -> list[tuple[str, str, int]]:
    batches = PromptStream(prompts, 1)
    return [(batch["environment_id"][0], batch["trajectory_id"][0], batch["step"][0]) for batch in batches]


def test_every_task_is_in_one_chunk_in_the_order_of_the_seed(settings: StreamSettings) -> None:
    ids = EnvironmentStore.open(settings.environments).ids()
    tasks = TaskChunks(settings, SIZE)
    assert [len(chunk) for chunk in tasks.ids] == [5, 5, 2]
    assert [id_ for chunk in tasks.ids for id_ in chunk] == [ids[row] for row in tasks.rows]
    assert sorted(tasks.rows) == list(range(12))
    assert tasks.rows != sorted(tasks.rows)
    assert TaskChunks(replace(settings, seed=6), SIZE).rows != tasks.rows
    assert sorted(TaskChunks(replace(settings, limit=7), SIZE).rows) == list(range(7))


def test_a_chunk_is_whole_once_its_last_episode_is_in_the_store(settings: StreamSettings, tmp_path: Path) -> None:
    episodes = list(TrajectoryStore.open(settings.trajectories))
    chunks = TaskChunks(settings, SIZE).ids
    stored_chunks = StoredChunks(str(tmp_path / "store"), 1, chunks, samples=1)
    assert stored_chunks.parts(0) is None, "there is no store yet"
    mine = [one for one in episodes if one.environment_id in chunks[0]]
    others = [one for one in episodes if one.environment_id not in chunks[0]]
    store = TrajectoryStore.open(stored(settings, tmp_path / "store", [*others, *mine[:-1]]).trajectories)
    assert stored_chunks.parts(0) is None
    assert len(stored_chunks.parts(1) or []) == 5
    store.append(mine[-1:])
    assert stored_chunks.parts(0) == store.parts()[-5:]


def test_parts_that_have_been_put_together_are_counted_once(settings: StreamSettings, tmp_path: Path) -> None:
    episodes = list(TrajectoryStore.open(settings.trajectories))
    chunks = TaskChunks(settings, SIZE).ids
    path = stored(settings, tmp_path / "store", episodes[:-1]).trajectories
    stored_chunks = StoredChunks(path, 1, chunks, samples=1)
    last = next(number for number, ids in enumerate(chunks) if episodes[-1].environment_id in ids)
    assert stored_chunks.parts(last) is None
    TrajectoryStore.open(path).compact()
    assert stored_chunks.parts(last) is None
    store = TrajectoryStore.open(path)
    store.append(episodes[-1:])
    assert stored_chunks.parts(last) == store.parts()


def test_the_order_is_the_same_whatever_was_stored_first(settings: StreamSettings, tmp_path: Path) -> None:
    episodes = list(TrajectoryStore.open(settings.trajectories))
    first = rows(made(settings, tmp_path / "first"))
    turned = stored(settings, tmp_path / "turned", episodes[::-1], at_once=3)
    assert rows(made(turned, tmp_path / "second")) == first
    chunks = TaskChunks(settings, SIZE).ids
    places = [next(number for number, ids in enumerate(chunks) if row[0] in ids) for row in first]
    assert places == sorted(places)
    assert first != sorted(first)


def test_chunks_that_have_been_made_stay_as_they_are(settings: StreamSettings, tmp_path: Path) -> None:
    whole = rows(made(settings, tmp_path / "prompts"))
    [marked] = (tmp_path / "prompts" / "0").glob("*.parquet")
    before = marked.stat().st_ino
    for file in (tmp_path / "prompts" / "1").iterdir():
        file.unlink()
    (tmp_path / "prompts" / "1").rmdir()
    assert rows(made(settings, tmp_path / "prompts")) == whole
    assert marked.stat().st_ino == before


def test_what_is_left_out_task_by_task_is_left_out_here_too(settings: StreamSettings, tmp_path: Path) -> None:
    """Each task is played twice; a third of them better the second time."""
    first = list(TrajectoryStore.open(settings.trajectories))
    again = [
        one.model_copy(
            update={
                "id": f"{one.id}-1",
                "sample": 1,
                "metrics": tuple(
                    metrics.model_copy(update={"f1": metrics.f1 / (1 if number % 3 else 2)}) for metrics in one.metrics
                ),
            }
        )
        for number, one in enumerate(first)
    ]
    select = SelectConfig(drop_flat_tasks=True, drop_repeated_states=True)
    twice = replace(stored(settings, tmp_path / "store", [*again, *first], at_once=4), select=select)
    prompts = made(twice, tmp_path / "prompts", samples=2)
    once = rows(made(settings, tmp_path / "once"))
    differing = {one.environment_id for one in first[::3]}
    kept = sorted((task, step) for task, _, step in rows(prompts))
    assert kept == sorted((task, step) for task, _, step in once if task in differing)
    expected = sum(task in differing for task, _, _ in once)
    assert prompts.selected().prompts == expected
    assert prompts.selected().left_out == {
        "task without variance": 2 * (len(once) - expected),
        "repeated state": expected,
    }
