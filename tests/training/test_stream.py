"""Snapshots become prompts: all of them or those that are asked for, in a fixed order, from any position on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.ray_session import LogicalResources, ray_session
from ftrl.rollouts import TrajectoryStore, snapshots
from ftrl.rollouts.prompts import render_prompt, tokenise
from ftrl.training.config import SelectConfig
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.stream import PromptStream, prepare

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    with ray_session(LogicalResources(cpus=4)) as connected:
        yield connected


def prompts_of(settings: StreamSettings, folder: Path) -> PromptFiles:
    prompts = PromptFiles(folder)
    prepare(settings, prompts)
    return prompts


@pytest.fixture(scope="module")
def prompts(settings: StreamSettings, tmp_path_factory: pytest.TempPathFactory) -> PromptFiles:
    """All of them, of all twelve tasks."""
    return prompts_of(settings, tmp_path_factory.mktemp("made") / "prompts")


def rows(stream: PromptStream, batches: int | None = None) -> list[tuple[str, int]]:
    taken = []
    for number, batch in enumerate(stream, start=1):
        taken += list(zip(batch["trajectory_id"], batch["step"], strict=True))
        if number == batches:
            break
    return taken


def test_every_step_of_every_trajectory_becomes_one_prompt(settings: StreamSettings, prompts: PromptFiles) -> None:
    tasks = EnvironmentStore.open(settings.environments)
    expected = {
        (trajectory.id, snapshot.step): snapshot
        for trajectory in TrajectoryStore.open(settings.trajectories)
        for snapshot in snapshots(tasks.get(trajectory.environment_id), trajectory)
    }
    seen = {}
    for batch in PromptStream(prompts, 1):
        seen[batch["trajectory_id"][0], batch["step"][0]] = (batch["unsolved"][0], batch["solve_rate"][0])
    assert seen.keys() == expected.keys()
    assert len(seen) == prompts.selected().prompts
    for key, (unsolved, solve_rate) in seen.items():
        assert json.loads(unsolved) == expected[key].unsolved
        assert solve_rate == expected[key].solve_rate


def test_a_prompt_is_what_the_policys_template_makes_of_the_conversation(
    settings: StreamSettings, prompts: PromptFiles
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    tasks = EnvironmentStore.open(settings.environments)
    [batch] = itertools.islice(PromptStream(prompts, 5), 1)
    played = {trajectory.id: trajectory for trajectory in TrajectoryStore.open(settings.trajectories)}
    for id_, step, prompt_ids in zip(batch["trajectory_id"], batch["step"], batch["prompt_ids"], strict=True):
        environment = tasks.get(played[id_].environment_id)
        snapshot = next(one for one in snapshots(environment, played[id_]) if one.step == step)
        assert prompt_ids == tokenise(tokenizer, render_prompt(tokenizer, snapshot.messages, environment.tools))


def test_a_position_means_the_same_rows_and_epoch_follows_epoch(prompts: PromptFiles) -> None:
    whole = rows(PromptStream(prompts, 3))
    first = PromptStream(prompts, 3)
    taken = rows(first, batches=2)
    resumed = PromptStream(prompts, 3)
    resumed.load_state_dict(first.state_dict())
    assert taken + rows(resumed) == whole
    assert rows(resumed) == whole


def test_the_order_depends_on_tasks_and_seed_and_not_on_who_was_stored_first(
    settings: StreamSettings, prompts: PromptFiles, tmp_path: Path
) -> None:
    whole = rows(PromptStream(prompts, 1))
    assert whole != sorted(whole)
    store = TrajectoryStore.open(settings.trajectories)
    turned = TrajectoryStore.create(str(tmp_path / "turned"), run="test")
    turned.begin(store.collections[0])
    for trajectory in reversed(list(store)):
        turned.append([trajectory])
    again = prompts_of(replace(settings, trajectories=turned.path), tmp_path / "again")
    assert rows(PromptStream(again, 1)) == whole
    other = rows(PromptStream(prompts_of(replace(settings, seed=6), tmp_path / "other"), 1))
    assert other != whole
    assert sorted(other) == sorted(whole)


def test_prompts_over_the_limit_are_left_out_and_counted_exactly(
    settings: StreamSettings, prompts: PromptFiles, tmp_path: Path
) -> None:
    lengths = [len(batch["prompt_ids"][0]) for batch in PromptStream(prompts, 1)]
    limit = sorted(lengths)[len(lengths) // 2]
    limited = prompts_of(replace(settings, max_prompt_tokens=limit), tmp_path / "limited")
    kept = [len(batch["prompt_ids"][0]) for batch in PromptStream(limited, 1)]
    assert sorted(kept) == sorted(n for n in lengths if n <= limit)
    assert limited.selected().prompts == len(kept)
    assert limited.selected().left_out == {"over-long": len(lengths) - len(kept)}
    assert limited.selected().snapshots == len(lengths)


def test_only_tasks_whose_samples_differ_are_trained_on_if_that_is_asked_for(
    settings: StreamSettings, prompts: PromptFiles, tmp_path: Path
) -> None:
    """Two tasks are played a second time: one as well as before, the other worse."""
    store = TrajectoryStore.open(settings.trajectories)
    twice = TrajectoryStore.create(str(tmp_path / "twice"), run="test")
    twice.begin(store.collections[0])
    first = list(store)
    worse = tuple(metrics.model_copy(update={"f1": metrics.f1 / 2}) for metrics in first[1].metrics)
    second = [
        first[0].model_copy(update={"id": "again-0", "sample": 1}),
        first[1].model_copy(update={"id": "again-1", "sample": 1, "metrics": worse}),
    ]
    twice.append([*first, *second])
    asked = replace(settings, trajectories=twice.path, select=SelectConfig(drop_flat_tasks=True))
    selected = prompts_of(asked, tmp_path / "prompts")
    kept = {batch["environment_id"][0] for batch in PromptStream(selected, 1)}
    assert kept == {one.environment_id for one in first} - {first[0].environment_id}
    steps = sum(batch["environment_id"][0] == first[0].environment_id for batch in PromptStream(prompts, 1))
    assert selected.selected().left_out == {"task without variance": 2 * steps}


def test_equal_states_of_a_task_are_trained_on_once_if_that_is_asked_for(
    settings: StreamSettings, prompts: PromptFiles, tmp_path: Path
) -> None:
    store = TrajectoryStore.open(settings.trajectories)
    twice = TrajectoryStore.create(str(tmp_path / "twice"), run="test")
    twice.begin(store.collections[0])
    for trajectory in store:
        twice.append([trajectory.model_copy(update={"id": f"{trajectory.id}-1", "sample": 1}), trajectory])
    asked = replace(settings, trajectories=twice.path, select=SelectConfig(drop_repeated_states=True))
    selected = prompts_of(asked, tmp_path / "prompts")
    assert sorted(rows(PromptStream(selected, 1))) == sorted(rows(PromptStream(prompts, 1)))
    assert selected.selected().left_out == {"repeated state": prompts.selected().prompts}
