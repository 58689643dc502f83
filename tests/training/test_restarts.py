"""When a trainer that stopped is started again, and when the run ends with what it said."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ftrl.training.config import SelectConfig, TrainConfig
from ftrl.training.iteration import Iteration
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.run_folder import RunFolder
from ftrl.training.runner import TrainerStopped
from ftrl.training.snapshot_rows import ROW_COLUMNS
from ftrl.training.steps import Steps

STEPS = 6


class Told:
    """A watcher that remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, iteration: int, name: str) -> None:
        """Nothing."""

    def note(self, iteration: int, text: str) -> None:
        self.notes.append(text)

    def step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Nothing."""


Attempt = tuple[int, int] | None
"""The checkpoint that a trainer reaches and the steps that it finishes before it stops; None if it ends well."""


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Told, list[int]]]:
    """Trains with trainers that do as they are told; gives what was noted and where each one began."""

    def run_attempts(*attempts: Attempt, restarts: int = 3) -> tuple[Told, list[int]]:
        optim = {"batch_size": 4, "mini_batch_size": 4, "samples_per_prompt": 2}
        settings = {"model": "m", "tasks": "t", "out": str(tmp_path / "run"), "restarts": restarts, "optim": optim}
        config = TrainConfig.model_validate({**settings, "hardware": {"device": "cpu"}})
        run, told, begun, left = RunFolder(config.out), Told(), [], list(attempts)
        rows = [{"trajectory_id": str(n), "order": n, "sample": 0, "step": 0} for n in range(4 * STEPS)]
        run.prompts(1).make(1, [pa.Table.from_pylist(rows, schema=ROW_COLUMNS)], SelectConfig())

        def attempt(*_: Any) -> None:
            begun.append(run.trained(1))
            ends = left.pop(0)
            reached = STEPS if ends is None else ends[0]
            if reached:
                (run.checkpoints(1) / f"global_step_{reached}").mkdir(parents=True, exist_ok=True)
                (run.checkpoints(1) / "latest_checkpointed_iteration.txt").write_text(str(reached))
            if ends is not None:
                raise TrainerStopped("the trainer failed: first line\nthe engine died", ends[1])

        monkeypatch.setattr(Iteration, "train_on", attempt)
        steps = Steps(PromptChunks([run.prompts(1)]), config.optim, most_prompts=len(rows))
        Iteration(config, run, 1, "policy", "tasks", told).train(steps)
        return told, begun

    return run_attempts


def test_a_trainer_that_stopped_after_a_step_is_started_again_from_its_last_checkpoint(
    train: Callable[..., tuple[Told, list[int]]],
) -> None:
    told, begun = train((2, 3), None)
    assert begun == [0, 2]
    assert told.notes[-1] == (
        "the trainer stopped after step 3 (the engine died); it is started again from step 2 "
        "(restart 1 of 3 without a new checkpoint)"
    )


def test_one_that_stops_before_its_first_step_would_do_so_again(train: Callable[..., Any]) -> None:
    with pytest.raises(TrainerStopped, match="the engine died\nRun the same command again"):
        train((0, 0), None)


def test_without_a_new_checkpoint_there_is_an_end_to_it(train: Callable[..., Any]) -> None:
    with pytest.raises(TrainerStopped):
        train((0, 1), (0, 1), (0, 1), None, restarts=2)


def test_with_new_checkpoints_there_is_none(train: Callable[..., tuple[Told, list[int]]]) -> None:
    told, begun = train((1, 1), (2, 1), (3, 1), (4, 1), (5, 1), None, restarts=1)
    assert begun == [0, 1, 2, 3, 4, 5]
    assert all("restart 1 of 1" in note for note in told.notes[1:])


def test_a_run_that_wants_no_restarts_has_none(train: Callable[..., Any]) -> None:
    with pytest.raises(TrainerStopped):
        train((2, 3), None, restarts=0)


def test_what_a_trainer_said_when_it_stopped_is_the_same_in_another_process() -> None:
    said = TrainerStopped("the trainer failed: first line\nthe engine died", 3)
    heard = pickle.loads(pickle.dumps(said))
    assert (str(heard), heard.why, heard.steps) == (str(said), "the engine died", 3)
