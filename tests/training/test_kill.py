"""``kill -9`` of the driver, the trainer, an engine and a reward worker of a run with two iterations.

Whatever dies and whenever: the same command again, or the run by itself, comes to the step at which an undisturbed run
ends, and has trained on the same states in the same order. Moments are drawn with a seed of their own.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from ftrl.models import init_tiny
from ftrl.rollouts import TrajectoryStore
from ftrl.rollouts.engine_processes import descendants
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.run_folder import RunFolder

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]

ITERATIONS, STEPS, BATCH = 2, 6, 4
SEED = int(os.environ.get("FTRL_KILL_SEED", "1"))
"""Decides when things die."""

WAIT_SECONDS = 1800

BEGUN = "the command was given"
AGAIN = "it is started again from step"
"""In the log: from us, and from a run that replaces its trainer."""

ROLES = {
    "trainer": "ray::TrainerActor",
    "worker": "ray::WorkerDict",
    "engine": "VLLM::EngineCore",
    "reward worker": "ray::RewardLoopWorker",
}
"""Who dies → how its process calls itself."""


def make_inputs(folder: Path) -> None:
    """Tasks and an untrained model, which makes no calls: all its states are first states, the same in every run."""
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": STEPS * BATCH // 2}))
    init_tiny(folder / "model", context=1088)


def written(folder: Path, name: str) -> tuple[RunFolder, list[str]]:
    """A run's folder, and the command that starts it and goes on with it."""
    config = {
        "model": str(folder / "model"),
        "tasks": str(folder / "tasks"),
        "out": str(folder / name),
        "iterations": ITERATIONS,
        "step_timeout": 20,
        "collect": {"samples": 2, "max_turns": 2},
        "reward": {"workers": 1},
        "optim": {
            "batch_size": BATCH,
            "mini_batch_size": BATCH,
            "samples_per_prompt": 2,
            "max_prompt_tokens": 1024,
            "max_response_tokens": 64,
            "tokens_per_gpu": 8192,
            "learning_rate": 1e-4,
            "kl_loss": 0.0,
            "save_every": 2,
        },
        "hardware": {"device": "cpu"},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return RunFolder(config["out"]), [sys.executable, "-m", "ftrl.cli", "train", "--config", str(file)]


class Driver:
    """The command, running; what it says on stderr goes to a file."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log
        with log.open("ab") as file:
            file.write(f"{BEGUN}\n".encode())
            file.flush()
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Until it is so; the command must not end before."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not what():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def pids_of(self, role: str) -> list[int]:
        """The processes of a role."""
        return [pid for pid in descendants(self._process.pid) if title(pid).startswith(ROLES[role])]

    def kill(self) -> None:
        """Kill it, and after a moment what it has left."""
        left = {pid: started(pid) for pid in descendants(self._process.pid)}
        self._process.kill()
        self._process.wait()
        time.sleep(5)
        for pid, start in left.items():
            if start and started(pid) == start:
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """Wait until it is done."""
        self._process.wait(timeout=WAIT_SECONDS)
        assert self._process.returncode == 0, self._log.read_text()


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def started(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def order(run: RunFolder) -> list[list[tuple[str, int, int]]]:
    """(task, sample, step) of the prompts of every training step of all iterations."""
    store = TrajectoryStore.open(run.trajectories)
    columns = ["id", "environment_id", "sample"]
    played = {row["id"]: (row["environment_id"], row["sample"]) for row in store.rows(columns)}
    rows = [row for number in range(1, ITERATIONS + 1) for row in run.order(number).rows()]
    assert [row["step"] for row in rows] == ITERATIONS * list(range(1, STEPS + 1))
    return [[(*played[id_], step) for id_, step in row["prompts"]] for row in rows]


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
    run, command = written(folder, "undisturbed")
    Driver(command, folder / "undisturbed.log").end()
    return run


def run_disturbed(folder: Path) -> RunFolder:
    """The run in which five things die."""
    run, command = written(folder, "disturbed")
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
    undisturbed, disturbed = map(order, runs)
    assert disturbed == undisturbed
    assert len({state for step in undisturbed[:STEPS] for state in step}) == STEPS * BATCH


def test_every_task_was_played_once_a_sample_and_iteration(runs: tuple[RunFolder, RunFolder]) -> None:
    for run in runs:
        store = TrajectoryStore.open(run.trajectories)
        for number in (1, 2):
            assert store.count(number) == len(store.done(number)) == STEPS * BATCH
