"""Every algorithm, mode, credit and training reward, two steps each, on real parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ftrl.training.run_folder import RunFolder

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]

STEPS = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tasks and the tiny policy."""
    folder = tmp_path_factory.mktemp("modes")
    for command in (["synth", "--out", "tasks", "--count", "16"], ["model", "tiny-policy", "model"]):
        subprocess.run([sys.executable, "-m", "ftrl.cli", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("algorithm", "mode", "metric", "profile", "credit"),
    [
        ("grpo", "step", "solve_pr", "reference", "episode"),
        ("grpo", "trajectory", "solve_f1", "strict", "episode"),
        ("grpo", "trajectory", "solve_f1", "strict", "turn"),
        ("reinforce_plus_plus", "step", "solve_f1", "strict", "episode"),
        ("reinforce_plus_plus", "trajectory", "solve_pr", "reference", "episode"),
        ("reinforce_plus_plus", "trajectory", "solve_f1", "reference", "turn"),
    ],
)
def test_it_trains(made: Path, algorithm: str, mode: str, metric: str, profile: str, credit: str) -> None:
    out = made / f"{algorithm}-{mode}-{credit}"
    config = {
        "model": str(made / "model"),
        "tasks": str(made / "tasks"),
        "out": str(out),
        "algorithm": algorithm,
        "mode": mode,
        "iterations": 1,
        "step_timeout": 20,
        "collect": {"max_turns": 4},
        "reward": {"workers": 1, "metric": metric, "profile": profile},
        "loggers": ["console"],
        "optim": {
            "batch_size": 4,
            "mini_batch_size": 4,
            "samples_per_prompt": 4,
            "max_prompt_tokens": 448,
            "max_response_tokens": 64,
            "tokens_per_gpu": 4096,
            "learning_rate": 1e-3,
            "credit": credit,
            "kl_loss": 0.001 if mode == "step" else 0,  # with a reference model, and without
            "max_steps": STEPS,
            "save_every": STEPS,
        },
        "hardware": {"device": "cpu"},
    }
    (made / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "ftrl.cli", "train", "--config", str(made / "run.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = RunFolder(str(out))
    rows = run.metrics(1).rows()
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    for row in rows:
        # The trainer computes for what the engine sampled what the engine did: it learns from the very same tokens.
        assert row["training/rollout_probs_diff_max"] < 1e-4
        assert row["actor/grad_norm"] > 0
        assert {"ftrl/score_reference", "ftrl/score_strict"} <= row.keys()
    assert Path(run.trajectories).exists() == (mode == "step")
    assert run.policy(1).is_dir()
