"""Snapshots reach the trainer through Ray Data: all of them, in a fixed order, from any position on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.errors import InputError
from ftrl.models import init_tiny
from ftrl.ray_session import LogicalResources, ray_session
from ftrl.rollouts import (
    Collection,
    EpisodeKey,
    EpisodeSettings,
    ScriptedPolicy,
    TrajectoryStore,
    run_episode,
    snapshots,
)
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, golden_turns, synthesize
from ftrl.training.stream import PromptStream, StreamSettings, count_prompts

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StreamSettings:
    """Twelve generated tasks, each played once by its golden turns."""
    folder = tmp_path_factory.mktemp("stream")
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": 12}))
    init_tiny(folder / "model", context=2048)
    tasks = EnvironmentStore.open(str(folder / "tasks"))
    store = TrajectoryStore.create(str(folder / "trajectories"), run="test")
    episode = EpisodeSettings()
    with Sandbox(workers=1) as sandbox:
        played = [
            asyncio.run(
                run_episode(
                    environment,
                    tasks.sources(environment),
                    ScriptedPolicy(golden_turns(environment)),
                    sandbox,
                    episode,
                    EpisodeKey("test", iteration=1),
                )
            )
            for environment in tasks
        ]
    store.begin(Collection(iteration=1, policy=played[0].policy, settings=episode))
    for start in range(0, len(played), 4):  # three parts
        store.append(played[start : start + 4])
    return StreamSettings(
        trajectories=store.path,
        iteration=1,
        environments=tasks.path,
        model=str(folder / "model"),
        batch_size=3,
        max_prompt_tokens=2000,
        thinking=False,
        seed=5,
    )


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    with ray_session(LogicalResources(cpus=4)) as connected:
        yield connected


def rows(stream: PromptStream, batches: int | None = None) -> list[tuple[str, int]]:
    taken = []
    for number, batch in enumerate(stream, start=1):
        taken += list(zip(batch["trajectory_id"], batch["step"], strict=True))
        if number == batches:
            break
    return taken


def test_every_step_of_every_trajectory_becomes_one_prompt(settings: StreamSettings) -> None:
    tasks = EnvironmentStore.open(settings.environments)
    expected = {
        (trajectory.id, snapshot.step): snapshot
        for trajectory in TrajectoryStore.open(settings.trajectories)
        for snapshot in snapshots(tasks.get(trajectory.environment_id), trajectory)
    }
    seen = {}
    for batch in PromptStream(replace(settings, batch_size=1)):
        seen[batch["trajectory_id"][0], batch["step"][0]] = (batch["unsolved"][0], batch["solve_rate"][0])
    assert seen.keys() == expected.keys()
    assert len(seen) == count_prompts(settings)
    for key, (unsolved, solve_rate) in seen.items():
        assert json.loads(unsolved) == expected[key].unsolved
        assert solve_rate == expected[key].solve_rate


def test_the_order_depends_on_the_seed_alone_and_a_position_means_the_same_rows(settings: StreamSettings) -> None:
    whole = rows(PromptStream(settings))
    assert rows(PromptStream(settings)) == whole
    first = PromptStream(settings)
    taken = rows(first, batches=2)
    resumed = PromptStream(settings)
    resumed.load_state_dict(first.state_dict())
    assert taken + rows(resumed) == whole
    assert rows(PromptStream(replace(settings, seed=6))) != whole


def test_prompts_over_the_limit_are_left_out(settings: StreamSettings) -> None:
    lengths = [len(batch["prompt_ids"][0]) for batch in PromptStream(replace(settings, batch_size=1))]
    limit = sorted(lengths)[len(lengths) // 2]
    limited = PromptStream(replace(settings, batch_size=1, max_prompt_tokens=limit))
    assert sorted(len(batch["prompt_ids"][0]) for batch in limited) == sorted(n for n in lengths if n <= limit)


def test_too_few_prompts_for_a_batch_are_refused_with_what_to_do(settings: StreamSettings) -> None:
    with pytest.raises(InputError, match=r"lower optim\.batch_size"):
        next(iter(PromptStream(replace(settings, batch_size=10_000))))


def test_a_store_of_another_iteration_gives_no_prompts(settings: StreamSettings, tmp_path: Path) -> None:
    assert count_prompts(replace(settings, iteration=2)) == 0
