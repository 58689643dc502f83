"""What pages take for granted: published files, a model, runs that are finished, models behind an address.

Each stands in for something larger: the tiny policy for eight billion parameters, a recording for a provider's model.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from ftrl.cli import app
from ftrl.training.config import TrainConfig
from ftrl.training.run_folder import RunFolder
from tests.docs.pages import ROOT
from tests.evaluation.chat_server import ChatServer, saying
from tests.evaluation.protocols import Anthropic
from tests.synthesis.language_model.scripted_model import scripted_server

BESIDE = ("jobs", "examples", "cluster", "benchmarks", "constraints", "pyproject.toml")
"""What the project's folder has and commands name."""

TAKEN = {
    "README.md": ("models/Qwen3-8B", "runs/qwen3-8b-grpo"),
    "docs/collection.md": ("stores/train",),
    "docs/report.md": ("stores/train", "runs/rollout", "runs/qwen3-8b-grpo", "results/base", "results/tuned"),
    "docs/synthesis-model.md": ("questions.jsonl",),
    "docs/train-on-gpus.md": ("models/Qwen3-8B", "runs/qwen3-8b"),
    "docs/what-training-changed.md": ("BASE", "TUNED"),
}
"""Page → what it names and does not make itself."""

YOURS = {
    "openai/NAME": "openai/gpt-4o-mini",
    "anthropic/NAME": "anthropic/claude-sonnet-4-0",
}
"""What a reader puts in the place of a name."""


def files_of_tasks(folder: Path) -> None:
    """A few tasks as ``train.jsonl`` and ``test.jsonl``, in the published format."""
    for split in ("train", "test"):
        store = str(folder / split)
        _command("synth", "--out", store, "--count", "8", "--split", split)
        _command("env", "export", store, "--out", str(folder / f"{split}.jsonl"))


def model(folder: Path) -> None:
    """The tiny policy."""
    _command("model", "tiny-policy", str(folder))


def trained(base: Path, folder: Path) -> None:
    """Another policy: the base with one of its tensors moved a little."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.mlp.down_proj.weight"))
    weights[name] = (weights[name] * np.float32(1.001)).astype(weights[name].dtype)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def run_of_three_iterations(base: Path, folder: Path, name: str) -> None:
    """A training run as it lies when it is finished."""
    run = RunFolder(str(folder))
    run.claim(TrainConfig(model="models/Qwen3-8B", tasks="train.jsonl", out=name))
    for number in (1, 2, 3):
        run.iteration(number).mkdir()
        for step in (1, 2):
            run.metrics(number).append(step, 2, {"ftrl/score": 0.1 * number, "ftrl/score_strict": 0.1 * number})
        trained(base, run.policy(number))


def lay_out(page: str, folder: Path, tasks: Path, base: Callable[[], Path], quickstart: Path) -> None:
    """Make a folder look like the project's, with the published files, a finished quickstart and what the page takes.

    Args:
        page: its name.
        folder: an empty one.
        tasks: where ``files_of_tasks`` has been.
        base: gives a model's folder.
        quickstart: the folder of a finished one.
    """
    for name in BESIDE:
        (folder / name).symlink_to(ROOT / name)
    for file in tasks.glob("*.jsonl"):
        shutil.copy(file, folder)
    shutil.copytree(quickstart, folder / "runs" / "quickstart")
    for name in TAKEN.get(page, ()):
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if name.startswith(("models/", "BASE")):
            place.symlink_to(base())
        elif name == "questions.jsonl":
            place.symlink_to(ROOT / "examples" / "llm" / name)
        elif name == "TUNED":
            trained(base(), place)
        elif name.startswith("runs/qwen"):
            run_of_three_iterations(base(), place, name)
        else:
            shutil.copytree(quickstart / OF_THE_QUICKSTART[name], place)


STAGE = 12
"""Characters of a prompt by which its stage is known: "You break a …", "You write th…"."""

OF_THE_QUICKSTART = {
    "stores/train": "tasks/test",
    "runs/rollout": "evaluation/before/trajectories",
    "results/base": "evaluation/before",
    "results/tuned": "evaluation/after",
}
"""What is as good as something that a finished quickstart has."""


@contextmanager
def providers() -> Iterator[dict[str, str]]:
    """Models of providers, and one on a server of one's own, as a shell's environment and ``YOURS`` reach them."""
    with ExitStack() as stack:
        openai, anthropic = ChatServer(), Anthropic()
        stack.callback(openai.close)
        stack.callback(anthropic.close)
        local = stack.enter_context(scripted_server())
        openai.answer = _as_recorded()
        yield {
            "OPENAI_BASE_URL": openai.url,
            "ANTHROPIC_BASE_URL": anthropic.url,
            "http://localhost:8000/v1": local.url,
            "http://HOST:8000/v1": openai.url,
        }


def _as_recorded() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answers as the model of the recording that comes along did, to the prompt of its that is the most alike."""
    with gzip.open(ROOT / "examples" / "llm" / "recording.jsonl.gz", "rt") as lines:
        exchanges = [row for row in map(json.loads, lines) if "question" in row]

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked = request["messages"]
        likeness, text = max((_likeness(row["question"]["messages"], asked), row["text"]) for row in exchanges)
        return saying(text if likeness else "I do not know.")

    return answer


def _likeness(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """Of two conversations: 0 if they are at other stages, else the share of the first request's lines that agree."""
    if len(one) != len(other) or one[0]["content"][:STAGE] != other[0]["content"][:STAGE]:
        return 0.0
    lines, others = (set(messages[1]["content"].splitlines()) for messages in (one, other))
    return len(lines & others) / len(lines | others)


def _command(*words: str) -> None:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
