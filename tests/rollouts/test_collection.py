"""Collecting with real engines on a real Ray, and what happens when parts of it are killed.

One story, since each engine takes half a minute to start: a run whose driver is killed, then a second run that goes
on and whose engine is killed.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftrl.rollouts import Trajectory, TrajectoryStatus, TrajectoryStore
from ftrl.rollouts.engine_processes import descendants
from tests.rollouts.killing import Run, command_of, committed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

TASKS, SAMPLES, RESPONSE_TOKENS = 25, 4, 60
OURS = ("VLLM::", "RolloutWorker", "ftrl/sandbox", "resource_tracker")
"""Parts of the command lines of processes that we are answerable for."""


@dataclass(frozen=True)
class Story:
    """What was seen.

    Attributes:
        refused: what a second start without --resume said.
        orphans: processes of the first run, Ray's own left out, that outlived its driver.
        before: episodes in the store when the driver was killed.
        segments: shared memory segments of each engine, by its process; the killed driver's and the killed one first.
        report: what the second run printed.
        episodes: what is in the store in the end.
    """

    refused: str
    orphans: list[str]
    before: list[Trajectory]
    segments: dict[int, set[str]]
    report: dict[str, object]
    episodes: list[Trajectory]


@pytest.fixture(scope="module")
def ray_folder() -> Iterator[str]:
    # Not below pytest's folder: Ray puts sockets in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ftrl-", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, tasks_file: Callable[..., str], ray_folder: str
) -> Story:
    folder = tmp_path_factory.mktemp("story")
    store, log = folder / "rollouts", folder / "log"
    arguments = [tasks_file(folder, TASKS), "--model", str(tiny), "--out", str(store), "--samples", str(SAMPLES)]
    arguments += ["--max-response-tokens", str(RESPONSE_TOKENS), "--in-flight", "2", "--json"]

    first = Run(arguments, log, ray_folder)
    first.wait_for(lambda: committed(store) > 0 and any(first.seen().values()))
    below = [pid for pid in descendants(first.process.pid) if any(name in command_of(pid) for name in OURS)]
    first.kill()
    deadline = time.monotonic() + 30
    while any(map(command_of, below)) and time.monotonic() < deadline:
        time.sleep(0.2)
    orphans = list(filter(None, map(command_of, below)))
    before = list(TrajectoryStore.open(str(store)))

    again = Run(arguments, log, ray_folder)
    again.end()
    refused = log.read_text().splitlines()[-1]

    said = len(log.read_text())
    second = Run([*arguments, "--resume"], log, ray_folder)
    # Killed as soon as it plays: on a fast machine it is through with the rest before the next part is written.
    second.wait_for(lambda: " on 1 engines" in log.read_text()[said:] and any(second.seen().values()))
    (engine,) = second.seen()
    os.kill(engine, signal.SIGKILL)
    printed = second.end()
    assert second.process.returncode == 0, log.read_text()
    return Story(
        refused=refused,
        orphans=orphans,
        before=before,
        segments=first.seen() | second.seen(),
        report=json.loads(printed),
        episodes=list(TrajectoryStore.open(str(store))),
    )


def test_every_task_and_sample_is_there_exactly_once_after_driver_and_engine_were_killed(story: Story) -> None:
    counts = Counter((episode.environment_id, episode.sample) for episode in story.episodes)
    assert len(counts) == TASKS * SAMPLES
    assert set(counts.values()) == {1}
    assert len({episode.id for episode in story.episodes}) == TASKS * SAMPLES


def test_what_was_finished_before_the_driver_was_killed_is_kept_as_it_was(story: Story) -> None:
    assert 0 < len(story.before) < TASKS * SAMPLES
    assert story.episodes[: len(story.before)] == story.before
    assert story.report["collected"] == TASKS * SAMPLES - len(story.before)


def test_the_lost_engine_is_replaced_and_reported(story: Story) -> None:
    errors = story.report["errors"]
    assert isinstance(errors, dict)
    assert errors["engine_lost"] == 1


def test_no_process_outlives_a_killed_driver(story: Story) -> None:
    assert story.orphans == []


def test_no_engine_leaves_shared_memory_behind(story: Story) -> None:
    of_killed_driver, of_killed_engine, *_ = story.segments.values()
    assert of_killed_driver
    assert of_killed_engine
    left = [segment for of_engine in story.segments.values() for segment in of_engine if Path(segment).exists()]
    assert left == []


def test_without_resume_a_store_is_not_gone_on_with(story: Story) -> None:
    assert "there is a trajectory store here already" in story.refused


def test_tokens_and_log_probabilities_of_every_turn_are_recorded(story: Story) -> None:
    for episode in story.episodes:
        turns = [message for message in episode.messages if message["role"] == "assistant"]
        assert len(episode.turns) == len(turns) > 0
        for turn in episode.turns:
            assert 0 < len(turn.token_ids) == len(turn.logprobs) <= RESPONSE_TOKENS
            assert turn.prompt_tokens > 50
            assert all(logprob <= 0 for logprob in turn.logprobs)


def test_an_untrained_model_gives_honest_failures(story: Story) -> None:
    statuses = {episode.status for episode in story.episodes}
    assert statuses <= {TrajectoryStatus.ANSWERED, TrajectoryStatus.MAX_TURNS, TrajectoryStatus.CONTEXT_FULL}
    assert all(episode.metrics[0].f1 == 0 for episode in story.episodes)
