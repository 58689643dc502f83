"""verl's own loop over prompts that come while it runs: it knows its last step, saves it, and ends.

Everything is left out of it that computes; ``test_overlap`` has the whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from ftrl.training.config import SelectConfig, TrainConfig
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import ROW_COLUMNS
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream

SIZES = (5, 0, 9, 3)
"""Prompts of four chunks: 17, four batches of 4."""


def make(chunk: PromptFiles, number: int) -> None:
    rows = [{"trajectory_id": f"{number}-{n}", "order": n, "sample": 0, "step": 0} for n in range(SIZES[number])]
    chunk.make(1, [pa.Table.from_pylist(rows, schema=ROW_COLUMNS)], SelectConfig())


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Has the loop run, from a step on, and gives what happened; chunks but the first are made as it waits for them."""
    from verl.trainer.ppo.v1 import trainer_base

    from ftrl.training.trainer import StreamTrainer
    from ftrl.training.verl_config import verl_config

    happened: list[str] = []

    class LoopOnly(StreamTrainer):
        def __init__(self, config: Any, steps: Steps, trained: int) -> None:
            self.config, self._steps, self.global_steps = config, steps, trained
            self._stream, self._prompts = PromptStream(steps.prompts, 4), []
            self._stream.load_state_dict({"consumed": trained})
            self._init_dataloader()

        def step(self, metrics: Any, timing_raw: Any) -> Any:
            self._fetch_one_gen_batch()
            happened.append(f"step {self.global_steps} of {self.total_training_steps}: {self._prompts[-1][0]}")
            return SimpleNamespace(keys=[], partition_id="")

        def _save_checkpoint(self) -> None:
            happened.append(f"saved at {self._stream.state_dict()['consumed']}")

        def _nothing(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {}

        on_step_end = _start_profiling = _stop_profiling = _consume_sync_metrics = _nothing
        _compute_metrics = _shutdown_dump_executor = _reissue_inflight_prompts = _nothing

    monkeypatch.setattr(trainer_base, "tq", SimpleNamespace(kv_clear=lambda **_: None))
    monkeypatch.setattr(trainer_base, "Tracking", lambda **_: SimpleNamespace(log=lambda **_: None))

    def run(trained: int = 0, **optim: int) -> list[str]:
        told = {"batch_size": 4, "mini_batch_size": 4, "samples_per_prompt": 2, **optim}
        run = {"model": "m", "tasks": "t", "out": "o", "optim": told, "hardware": {"device": "cpu"}}
        config = TrainConfig.model_validate({**run, "collect": {"overlap": True}})
        chunks = [PromptFiles(tmp_path / str(number)) for number in range(len(SIZES))]
        steps = Steps(PromptChunks(chunks), config.optim, most_prompts=100)
        settings = verl_config(config, model="m", environments="t", checkpoints=str(tmp_path / "c"), name="n")
        loop = threading.Thread(target=LoopOnly(settings, steps, trained).fit, args=(None,))
        loop.start()
        for number, chunk in enumerate(chunks):
            make(chunk, number)
            # Two steps can be made of three chunks.
            while number == 2 and not trained and len(happened) < 2 and loop.is_alive():
                time.sleep(0.01)
        happened.append("all chunks")
        loop.join()
        return happened

    return run


def test_steps_are_made_of_what_is_there_and_the_last_is_known_as_such(train: Callable[..., list[str]]) -> None:
    happened = train()
    assert happened[:2] == ["step 1 of 3: 0-3", "step 2 of 3: 2-2"]
    assert [event for event in happened[2:] if event != "all chunks"] == [
        "step 3 of 4: 2-6",
        "step 4 of 4: 3-1",
        "saved at 4",
    ]


def test_a_second_pass_begins_where_the_prompts_end(train: Callable[..., list[str]]) -> None:
    steps = [event for event in train(epochs=2) if event.startswith("step")]
    assert [step.rpartition(" ")[2] for step in steps] == 2 * ["0-3", "2-2", "2-6", "3-1"]


def test_no_more_steps_are_made_than_are_asked_for(train: Callable[..., list[str]]) -> None:
    happened = [event for event in train(max_steps=2) if event != "all chunks"]
    assert happened == ["step 1 of 2: 0-3", "step 2 of 2: 2-2", "saved at 2"]


def test_a_run_that_was_killed_after_its_last_step_has_nothing_left_to_do(train: Callable[..., list[str]]) -> None:
    assert train(trained=4) == ["all chunks"]
