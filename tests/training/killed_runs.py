"""``ftrl train`` in a process of its own, to be watched and killed; and what such a run has trained on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from ftrl.rollouts import TrajectoryStore
from ftrl.rollouts.engine_processes import descendants
from ftrl.training.run_folder import RunFolder

WAIT_SECONDS = 1800

BEGUN = "the command was given"
"""In the log, from us."""

ROLES = {
    "trainer": "ray::TrainerActor",
    "worker": "ray::WorkerDict",
    "engine": "VLLM::EngineCore",
    "reward worker": "ray::RewardLoopWorker",
    "collection": "ray::collect",
}
"""Who dies → how its process calls itself."""


SAMPLES = 2


def written(
    folder: Path, name: str, *options: str, iterations: int, batch: int, save_every: int
) -> tuple[RunFolder, list[str]]:
    """A run's folder, and the command that starts it and goes on with it, with ``folder``'s ``tasks`` and ``model``."""
    config = {
        "model": str(folder / "model"),
        "tasks": str(folder / "tasks"),
        "out": str(folder / name),
        "iterations": iterations,
        "step_timeout": 20,
        "collect": {"samples": SAMPLES, "max_turns": 2},
        "reward": {"workers": 1},
        "optim": {
            "batch_size": batch,
            "mini_batch_size": batch,
            "samples_per_prompt": 2,
            "max_prompt_tokens": 1024,
            "max_response_tokens": 64,
            "tokens_per_gpu": 8192,
            "learning_rate": 1e-4,
            "kl_loss": 0.0,
            "save_every": save_every,
        },
        "hardware": {"device": "cpu"},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return RunFolder(config["out"]), [sys.executable, "-m", "ftrl.cli", "train", "--config", str(file), *options]


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


def order(run: RunFolder, number: int) -> list[list[tuple[str, int, int]]]:
    """(task, sample, step) of the prompts of every training step of an iteration."""
    store = TrajectoryStore.open(run.trajectories)
    columns = ["id", "environment_id", "sample"]
    played = {row["id"]: (row["environment_id"], row["sample"]) for row in store.rows(columns)}
    rows = run.order(number).rows()
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [[(*played[id_], step) for id_, step in row["prompts"]] for row in rows]
