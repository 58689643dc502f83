"""``kill -9`` of the driver, the trainer, an engine and a reward worker of a run with two iterations.

Whatever dies and whenever: the same command again, or the run by itself, comes to the step at which an undisturbed run
ends, and has trained on the same states in the same order. Moments are drawn with a seed of their own.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from ftrl.models import init_tiny
from ftrl.rollouts import TrajectoryStore
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.run_folder import RunFolder
from tests.training.killed_runs import BEGUN, SAMPLES, Driver, order, written

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]

ITERATIONS, STEPS, BATCH = 2, 6, 4
SETTINGS = {"iterations": ITERATIONS, "batch": BATCH, "save_every": 2}
SEED = int(os.environ.get("FTRL_KILL_SEED", "1"))
"""Decides when things die."""

AGAIN = "it is started again from step"
"""In the log of a run that replaces its trainer."""


def make_inputs(folder: Path) -> None:
    """Tasks and an untrained model, which makes no calls: all its states are first states, the same in every run."""
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": STEPS * BATCH // SAMPLES}))
    init_tiny(folder / "model", context=1088)


def progress(log: Path) -> tuple[int, int]:
    """The iteration, and the last step that the trainer at work has told of; 0 for none."""
    number = step = 0
    for line in log.read_text().splitlines():
        if line == BEGUN:
            number = step = 0
        elif found := re.match(r"iteration (\d+): train \(", line):
            number, step = int(found[1]), 0
        elif AGAIN in line:
            step = 0
        elif found := re.match(r"  step (\d+)/", line):
            step = int(found[1])
    return number, step


def reached(log: Path, number: int, step: int) -> bool:
    return progress(log) >= (number, step)


def restarted(log: Path, before: int) -> bool:
    return log.read_text().count(AGAIN) > before


def run_undisturbed(folder: Path) -> RunFolder:
    """The run that nobody disturbs."""
    run, command = written(folder, "undisturbed", **SETTINGS)
    Driver(command, folder / "undisturbed.log").end()
    return run


def run_disturbed(folder: Path) -> RunFolder:
    """The run in which five things die."""
    run, command = written(folder, "disturbed", **SETTINGS)
    log = folder / "disturbed.log"
    rng = random.Random(SEED)

    driver = Driver(command, log)
    # While it collects, or just before or after.
    driver.wait_for(lambda: run.iteration(1).exists())
    time.sleep(rng.uniform(0, 60))
    driver.kill()

    driver = Driver(command, log)
    moments = sorted(rng.sample([(number, step) for number in (1, 2) for step in range(1, STEPS)], 4))
    roles = rng.sample(["driver", rng.choice(["trainer", "worker"]), "engine", "reward worker"], 4)
    for (number, step), role in zip(moments, roles, strict=True):
        driver.wait_for(partial(reached, log, number, step))
        time.sleep(rng.uniform(0, 1))
        if role == "driver":
            driver.kill()
            driver = Driver(command, log)
            continue
        restarts = log.read_text().count(AGAIN)
        pids = driver.pids_of(role)
        assert pids, f"no {role} to kill in iteration {number} after step {step}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        driver.wait_for(partial(restarted, log, restarts))
    driver.end()
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """Both."""
    folder = tmp_path_factory.mktemp("kill")
    make_inputs(folder)
    return run_undisturbed(folder), run_disturbed(folder)


def test_killed_or_not_a_run_ends_at_the_same_step(runs: tuple[RunFolder, RunFolder]) -> None:
    for run in runs:
        assert [run.trained(number) for number in (1, 2)] == [STEPS, STEPS]
        assert all(run.policy(number).exists() for number in (1, 2))


def test_killed_or_not_a_run_trains_on_the_same_states_in_the_same_order(runs: tuple[RunFolder, RunFolder]) -> None:
    undisturbed, disturbed = ([row for number in (1, 2) for row in order(run, number)] for run in runs)
    assert len(undisturbed) == ITERATIONS * STEPS
    assert disturbed == undisturbed
    assert len({state for step in undisturbed[:STEPS] for state in step}) == STEPS * BATCH


def test_every_task_was_played_once_a_sample_and_iteration(runs: tuple[RunFolder, RunFolder]) -> None:
    for run in runs:
        store = TrajectoryStore.open(run.trajectories)
        for number in (1, 2):
            assert store.count(number) == len(store.done(number)) == STEPS * BATCH
