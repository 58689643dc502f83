"""A run that begins with a warm start, on real parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ftrl.models import weights_hash
from ftrl.training.run_folder import RunFolder
from ftrl.training.step_metrics import StepMetrics

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]


def ftrl(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "ftrl.cli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_shown_is_learnt_and_the_first_iteration_begins_with_it(tmp_path: Path) -> None:
    ftrl("synth", "--out", str(tmp_path / "tasks"), "--count", "40")
    ftrl("model", "init-tiny", str(tmp_path / "model"))
    config = {
        "model": str(tmp_path / "model"),
        "tasks": str(tmp_path / "tasks"),
        "out": str(tmp_path / "run"),
        "mode": "trajectory",
        "iterations": 1,
        "step_timeout": 20,
        "warm_start": {"epochs": 4, "batch_size": 8, "learning_rate": 2e-3, "save_every": 4},
        "collect": {"max_turns": 4},
        "reward": {"workers": 1, "profile": "strict"},
        "loggers": ["console"],
        "optim": {
            "batch_size": 4,
            "mini_batch_size": 4,
            "samples_per_prompt": 2,
            "max_prompt_tokens": 448,
            "max_response_tokens": 128,
            "tokens_per_gpu": 4096,
            "learning_rate": 0,
            "kl_loss": 0.0,
            "max_steps": 1,
        },
        "hardware": {"device": "cpu"},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ftrl("train", "--config", str(tmp_path / "run.yaml"))
    run = RunFolder(config["out"])
    losses = [row["train/loss"] for row in StepMetrics(run.warm_start / "metrics.jsonl").rows()]
    assert len(losses) == 20
    assert losses[-1] < losses[0] - 1
    # Nothing was learnt after it: the iteration's policy is the one that it began with.
    assert weights_hash(run.policy(1)) == weights_hash(run.warm_policy) != weights_hash(tmp_path / "model")
