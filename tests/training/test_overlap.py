"""Training beside collection: its first step ends before the last episode does; the order is as if nothing happened.

A run's collection is held in the middle until a step has been trained, and then killed; later the driver is, too. It is
set against a run that nobody disturbs.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ftrl.models import init_tiny
from ftrl.rollouts import TrajectoryStore
from ftrl.rollouts.store import is_trajectory_store
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.run_folder import RunFolder
from tests.training.killed_runs import SAMPLES, Driver, order, written

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3 * 3600)]

TASKS, BATCH = 200, 64
SETTINGS = {"iterations": 1, "batch": BATCH, "save_every": 1}
STEPS = TASKS * SAMPLES // BATCH
"""An untrained model makes no calls: an episode is one prompt, its task."""

ENOUGH = 3 * BATCH
"""Episodes in the store that have the first two chunks among them, whatever has been finished first."""


def collected(run: RunFolder) -> int:
    return TrajectoryStore.open(run.trajectories).count(1) if is_trajectory_store(run.trajectories) else 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlap")
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": TASKS}))
    init_tiny(folder / "model", context=1088)
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> RunFolder:
    run, command = written(folder, "undisturbed", "--overlap", **SETTINGS)
    Driver(command, folder / "undisturbed.log").end()
    return run


@pytest.fixture(scope="module")
def disturbed(folder: Path) -> tuple[RunFolder, int, str]:
    """The run, the episodes that there were when its first step had ended, and what was said until its driver died."""
    run, command = written(folder, "disturbed", "--overlap", **SETTINGS)
    log = folder / "disturbed.log"
    driver = Driver(command, log)
    driver.wait_for(lambda: collected(run) >= ENOUGH)
    [collection] = driver.pids_of("collection")
    os.kill(collection, signal.SIGSTOP)
    driver.wait_for(lambda: bool(run.metrics(1).rows()))
    there = collected(run)
    os.kill(collection, signal.SIGKILL)
    driver.wait_for(lambda: collected(run) > there)
    driver.wait_for(lambda: run.trained(1) >= 3)
    driver.kill()
    said = log.read_text()
    Driver(command, log).end()
    return run, there, said


def test_the_first_step_ends_before_collection_does(disturbed: tuple[RunFolder, int, str]) -> None:
    run, there, said = disturbed
    assert there < TASKS * SAMPLES
    assert collected(run) == len(TrajectoryStore.open(run.trajectories).done(1)) == TASKS * SAMPLES
    before, step, _ = said.partition("  step 1/")
    assert step
    assert "chunk 7 of 7" not in before


def test_killed_or_not_a_run_trains_on_the_same_prompts_in_the_same_order(
    undisturbed: RunFolder, disturbed: tuple[RunFolder, int, str]
) -> None:
    run, _, _ = disturbed
    expected = order(undisturbed, 1)
    assert order(run, 1) == expected
    assert len({state for step in expected for state in step}) == STEPS * BATCH
    totals = [[row["total"] for row in one.order(1).rows()] for one in (undisturbed, run)]
    assert totals[0] == totals[1]
    assert totals[0][-1] == STEPS


def test_killed_or_not_a_run_ends_with_a_policy(undisturbed: RunFolder, disturbed: tuple[RunFolder, int, str]) -> None:
    for run in (undisturbed, disturbed[0]):
        assert run.trained(1) == STEPS
        assert run.policy(1).exists()
