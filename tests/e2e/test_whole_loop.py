"""The whole loop on real parts: tasks → vLLM rollouts → reward → Ray Data → verl → merged policy → vLLM again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from ftrl.models import weights_hash
from ftrl.rollouts import TrajectoryStore
from ftrl.training.run_folder import RunFolder
from ftrl.training.step_metrics import StepMetrics

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

STEPS = 4
KILL_AFTER = 2
WAIT_SECONDS = 1200
PROBE = Path(__file__).with_name("probe_logprobs.py")


def ftrl(*arguments: str) -> str:
    """Run the command line as a user does; its stdout."""
    command = [sys.executable, "-m", "ftrl.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ftrl {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def kill_after(steps: int, metrics: StepMetrics, *arguments: str) -> None:
    """Run the command line and ``kill -9`` it as soon as it has told of so many training steps."""
    process = subprocess.Popen([sys.executable, "-m", "ftrl.cli", *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + WAIT_SECONDS
    while len(metrics.rows()) < steps:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One iteration of a tiny run by the command line, killed in the middle of training and run again: its folder."""
    folder = tmp_path_factory.mktemp("loop")
    ftrl("synth", "--out", str(folder / "tasks"), "--count", "16")
    ftrl("model", "init-tiny", str(folder / "model"), "--context", "1088")
    config = {
        "model": str(folder / "model"),
        "tasks": str(folder / "tasks"),
        "out": str(folder / "run"),
        "iterations": 1,
        "step_timeout": 20,
        "collect": {"samples": 2, "max_turns": 3},
        "reward": {"workers": 1},
        "optim": {
            "batch_size": 8,
            "mini_batch_size": 8,
            "samples_per_prompt": 4,
            "max_prompt_tokens": 1024,
            "max_response_tokens": 64,
            "tokens_per_gpu": 16384,
            "learning_rate": 1e-3,
            "kl_loss": 0.0,
            "max_steps": STEPS,
            "save_every": 1,
        },
        "hardware": {"device": "cpu"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = ["train", "--config", str(folder / "run.yaml")]
    kill_after(KILL_AFTER, RunFolder(config["out"]).metrics(1), *command)
    ftrl(*command)
    return folder


def test_killed_or_not_training_makes_each_step_once_with_engine_and_trainer_in_agreement(run: Path) -> None:
    steps = RunFolder(str(run / "run")).metrics(1).rows()
    # The driver hears of a step after its checkpoint: a third may have been saved, and not told, before the kill.
    assert [step["step"] for step in steps] in ([1, 2, 3, 4], [1, 2, 4])
    for step in steps:
        # The engine samples with the trainer's newest weights: their log-probabilities are the same.
        assert step["training/rollout_probs_diff_max"] < 1e-4
        assert step["actor/grad_norm"] > 0
        assert step["critic/score/min"] >= -0.5


def test_a_steps_row_has_every_name_under_which_a_run_is_watched(run: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| `ftrl/")]
    names = {name for line in lines for name in re.findall(r"`(ftrl/\w+)`", line)}
    for step in RunFolder(str(run / "run")).metrics(1).rows():
        assert names - step.keys() == {"ftrl/kl"}  # there is none without a reference model
        assert 0 <= step["ftrl/engine_idle_seconds"] <= step["ftrl/step_seconds"]
        assert step["ftrl/unscored"] == 0
    assert list((run / "run/iteration-1/tensorboard").iterdir())


def test_the_prompts_of_every_step_are_noted_whatever_was_killed(run: Path) -> None:
    order = RunFolder(str(run / "run")).order(1).rows()
    assert [row["step"] for row in order] == list(range(1, STEPS + 1))
    prompts = [tuple(prompt) for row in order for prompt in row["prompts"]]
    assert len(set(prompts)) == STEPS * 8


def test_the_stream_went_on_where_the_last_checkpoint_was(run: Path) -> None:
    positions = {}
    for step in (STEPS - 1, STEPS):
        file = run / f"run/iteration-1/checkpoints/global_step_{step}/data.pt"
        positions[step] = torch.load(file, weights_only=False)["consumed"]
    assert positions == {STEPS - 1: STEPS - 1, STEPS: STEPS}


def test_every_task_was_collected_exactly_once_a_sample(run: Path) -> None:
    store = TrajectoryStore.open(str(run / "run/trajectories"))
    assert len(store) == 16 * 2
    assert len(store.done(1)) == 16 * 2


def test_the_same_command_again_has_nothing_left_to_do(run: Path) -> None:
    metrics = RunFolder(str(run / "run")).metrics(1)
    before = metrics.rows()
    ftrl("train", "--config", str(run / "run.yaml"))
    assert metrics.rows() == before


def test_the_weights_change_and_the_changed_weights_are_what_vllm_computes_with(run: Path, tmp_path: Path) -> None:
    base, policy = run / "model", run / "run/iteration-1/policy"
    assert weights_hash(base) != weights_hash(policy)
    results = {}
    for name, model in (("base", base), ("policy", policy)):
        out = tmp_path / f"{name}.json"
        subprocess.run([sys.executable, str(PROBE), str(model), str(out)], check=True)
        results[name] = json.loads(out.read_text(encoding="utf-8"))
    for result in results.values():
        assert result["vllm"] == pytest.approx(result["transformers"], abs=1e-3)
    moved = [abs(a - b) for a, b in zip(results["base"]["vllm"], results["policy"]["vllm"], strict=True)]
    assert max(moved) > 1e-2
