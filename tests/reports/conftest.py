"""A small run with real parts: tasks of the tables generator, episodes that were played in the sandbox, two models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize
from tests.reports.small_run import (
    BASE,
    TUNED,
    careful,
    careless,
    play,
    store_episodes,
    train,
    write_model,
    write_results,
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """A quickstart's folder in small; not to be written to."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    synthesize(SynthesisConfig(out=str(folder / "tasks" / "test"), count=8, split="test"))
    tasks = EnvironmentStore.open(str(folder / "tasks" / "test"))
    write_model(folder / "model")
    for name, policy, turns in (("before", BASE, careless), ("after", TUNED, careful)):
        played = play(tasks, sandbox, policy, turns, name)
        store_episodes(folder / "evaluation" / name / "trajectories", played, name)
        write_results(folder / "evaluation" / name, tasks, played)
    train(folder, tasks)
    collected = play(tasks, sandbox, BASE, careless, "collected", 1)
    store_episodes(folder / "training" / "trajectories", collected, "collected", 1)
    return folder


@pytest.fixture
def copied(small_run: Path, tmp_path: Path) -> Path:
    """The same folder, to be changed."""
    return Path(shutil.copytree(small_run, tmp_path / "copied"))
