"""A fleet that grows when a node joins, replaces an engine that hangs, and goes on with the rest when a node goes."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.rollouts import TrajectoryStore
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tiny_policy import tiny_policy
from tests.rollouts.killing import Run, committed, nodes

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]

TASKS, SAMPLES = 120, 4
MORE = 10
"""Episodes that are committed between one event and the next."""


@dataclass(frozen=True)
class Story:
    """What was seen: the run's report, what it said, and the (task, sample) of each stored episode."""

    report: dict[str, Any]
    said: str
    episodes: Counter[tuple[str, int]]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> EnvironmentStore:
    folder = str(tmp_path_factory.mktemp("growing") / "tasks")
    synthesize(SynthesisConfig.model_validate({"out": folder, "count": TASKS}))
    return EnvironmentStore.open(folder)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, tasks: EnvironmentStore) -> Story:
    folder = tmp_path_factory.mktemp("fleet")
    store, log, model = folder / "rollouts", folder / "log", folder / "model"
    tiny_policy(model)
    arguments = [tasks.path, "--model", str(model), "--out", str(store), "--samples", str(SAMPLES), "--json"]
    arguments += ["--engines", "2", "--least-engines", "1", "--in-flight", "2", "--hang-seconds", "30"]
    arguments += ["--max-turns", "6", "--max-response-tokens", "100"]
    # Not below pytest's folder: Ray puts sockets in it, whose paths must be short.
    with (
        tempfile.TemporaryDirectory(prefix="ftrl-", ignore_cleanup_errors=True) as ray_folder,
        nodes(1, ray_folder) as small,
    ):
        run = Run(arguments, log, ray_folder, small.address)

        def goes_on() -> None:
            before = committed(store)
            run.wait_for(lambda: committed(store) >= before + MORE)

        goes_on()
        assert len(small.engines()) == 1
        large = small.with_another()
        joined = large.raylets[-1]
        run.wait_for(lambda: joined in large.engines() and "on 2 engines" in log.read_text())
        goes_on()
        (hung,) = large.engines()[joined]
        os.kill(hung, signal.SIGSTOP)
        run.wait_for(lambda: large.engines().get(joined, [hung]) != [hung])
        goes_on()
        os.kill(joined, signal.SIGKILL)
        printed = run.end(seconds=1800)
    assert run.process.returncode == 0, log.read_text()
    stored = TrajectoryStore.open(str(store))
    return Story(
        report=json.loads(printed),
        said=log.read_text(),
        episodes=Counter((episode.environment_id, episode.sample) for episode in stored),
    )


def test_every_task_and_sample_is_there_exactly_once(story: Story, tasks: EnvironmentStore) -> None:
    assert set(story.episodes) == {(task.id, sample) for task in tasks for sample in range(SAMPLES)}
    assert set(story.episodes.values()) == {1}


def test_the_engine_that_hung_and_the_one_whose_node_went_are_reported(story: Story) -> None:
    assert story.report["errors"]["engine_lost"] == 2
    assert "it has given no sign of life for" in story.said


def test_how_busy_the_engines_are_and_what_their_cache_saves_is_shown(story: Story) -> None:
    line = next(line for line in reversed(story.said.splitlines()) if "prefix cache" in line)
    assert "engines busy" in line
    assert "prefix cache 0%" not in line
