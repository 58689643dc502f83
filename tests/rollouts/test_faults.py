"""A thousand episodes on a Ray of four nodes, in which everything is killed that can be, one after the other."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.rollouts import Trajectory, TrajectoryStatus, TrajectoryStore
from ftrl.sandbox import CallStatus, Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tiny_policy import tiny_policy
from tests.rollouts.killing import Nodes, Run, committed, nodes, uncommitted
from tests.rollouts.replay import scores_the_same

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]

TASKS, SAMPLES = 250, 4
MORE = 20
"""Episodes that are committed between one death and the next."""


@dataclass(frozen=True)
class Story:
    """What was seen.

    Attributes:
        report: what the last run printed.
        kept: what was committed when the writer and the driver were killed, as it was then.
        written_in_vain: parts that the killed writer had not committed.
        episodes: what is in the store in the end.
    """

    report: dict[str, Any]
    kept: list[list[Trajectory]]
    written_in_vain: set[str]
    episodes: list[Trajectory]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def tasks(folder: Path) -> EnvironmentStore:
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": TASKS}))
    return EnvironmentStore.open(str(folder / "tasks"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    tiny_policy(folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Nodes, str]]:
    # Not below pytest's folder: Ray puts sockets in it, whose paths must be short.
    with (
        tempfile.TemporaryDirectory(prefix="ftrl-", ignore_cleanup_errors=True) as ray_folder,
        nodes(3, ray_folder) as running,
    ):
        yield running, ray_folder


@pytest.fixture(scope="module")
def story(folder: Path, tasks: EnvironmentStore, model: Path, cluster: tuple[Nodes, str]) -> Story:
    running, ray_folder = cluster
    store, log = folder / "rollouts", folder / "log"
    arguments = [str(folder / "tasks"), "--model", str(model), "--out", str(store), "--samples", str(SAMPLES)]
    arguments += ["--engines", "2", "--in-flight", "2", "--max-turns", "6", "--max-response-tokens", "100", "--json"]

    def start(*more: str) -> Run:
        return Run([*arguments, *more], log, ray_folder, running.address)

    def goes_on(run: Run) -> None:
        before = committed(store)
        run.wait_for(lambda: committed(store) >= before + MORE)

    def held_between_writing_and_committing(run: Run) -> bool:
        if not uncommitted(store):
            return False
        run.process.send_signal(signal.SIGSTOP)
        if uncommitted(store):
            return True
        run.process.send_signal(signal.SIGCONT)  # it was faster
        return False

    def killed(run: Run) -> list[Trajectory]:
        run.kill()
        return list(TrajectoryStore.open(str(store)))

    first = start()
    first.wait_for(lambda: len(running.engines()) == 2)
    goes_on(first)
    (engine, *_), *_ = running.engines().values()
    os.kill(engine, signal.SIGKILL)
    goes_on(first)
    os.kill(running.sandboxes()[0], signal.SIGKILL)
    goes_on(first)
    os.kill(next(iter(running.engines())), signal.SIGKILL)  # its raylet: a node
    goes_on(first)
    first.wait_for(lambda: held_between_writing_and_committing(first), pause=0)
    after_writer = killed(first)
    written_in_vain = uncommitted(store)

    second = start("--resume")
    goes_on(second)
    after_driver = killed(second)

    last = start("--resume")
    printed = last.end(seconds=2400)
    assert last.process.returncode == 0, log.read_text()
    return Story(
        report=json.loads(printed),
        kept=[after_writer, after_driver],
        written_in_vain=written_in_vain,
        episodes=list(TrajectoryStore.open(str(store))),
    )


def test_every_task_and_sample_is_there_exactly_once(story: Story, tasks: EnvironmentStore) -> None:
    counts = Counter((episode.environment_id, episode.sample) for episode in story.episodes)
    assert set(counts) == {(task.id, sample) for task in tasks for sample in range(SAMPLES)}
    assert set(counts.values()) == {1}
    assert story.report["episodes"] == TASKS * SAMPLES


def test_what_was_committed_before_a_writer_died_is_kept_as_it_was(story: Story) -> None:
    for kept in story.kept:
        assert 0 < len(kept) < TASKS * SAMPLES
        assert story.episodes[: len(kept)] == kept


def test_a_writer_that_dies_between_writing_and_committing_leaves_nothing_that_is_read(story: Story) -> None:
    assert story.written_in_vain, "it was killed between the two"
    assert len({episode.id for episode in story.episodes}) == len(story.episodes)


def test_no_fault_of_ours_is_told_of_the_model(story: Story) -> None:
    assert all(episode.status is not TrajectoryStatus.INFRASTRUCTURE for episode in story.episodes)
    statuses = {call.call_status for episode in story.episodes for call in episode.calls}
    assert statuses <= {CallStatus.OK, CallStatus.TOOL_ERROR}
    assert CallStatus.OK in statuses


def test_every_episode_scores_what_is_stored(
    story: Story, tasks: EnvironmentStore, model: Path, sandbox: Sandbox
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    differing = [
        episode.id
        for episode in story.episodes
        for task in [tasks.get(episode.environment_id)]
        if not scores_the_same(episode, task, dict(tasks.sources(task)), sandbox, tokenizer)
    ]
    assert differing == []
    assert any(episode.metrics[0].f1 > 0 for episode in story.episodes)
