"""tasks → model → evaluate → collect → train → merge → evaluate."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel

from ftrl import storage
from ftrl.environments import is_store
from ftrl.evaluation import EvalConfig, EvalResults, evaluate
from ftrl.models import init_tiny
from ftrl.ray_session import ray_session
from ftrl.rollouts import EngineSettings, EpisodeSettings
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.config import CollectConfig, HardwareConfig, OptimConfig, RewardConfig, TrainConfig
from ftrl.training.iterations import Watcher, train
from ftrl.training.platforms import logical_resources
from ftrl.training.run_folder import RunFolder

TRAIN_TASKS, TEST_TASKS = 48, 24
CONTEXT_TOKENS, RESPONSE_TOKENS = 1024, 64
MAX_TURNS = 4
STEPS = 6


class QuickstartReport(BaseModel):
    """What the closing table shows.

    Attributes:
        out: where everything lies.
        before: the untrained policy on the held-out tasks.
        after: the trained policy on the same tasks.
        rewards: mean reward of each training step.
        seconds: wall clock of each stage of this call, by name.
    """

    out: str
    before: EvalResults
    after: EvalResults
    rewards: list[float]
    seconds: dict[str, float]


class _Stages:
    """Times the stages and tells the watcher of them."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._name: str | None = None
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}

    def begin(self, name: str) -> None:
        self.end()
        self._name = name
        self._watcher.stage(0, name)

    def end(self) -> None:
        now = time.monotonic()
        if self._name is not None:
            self.seconds[self._name] = now - self._since
        self._since = now


def quickstart(out: str, watcher: Watcher) -> QuickstartReport:
    """Run, or finish, the whole loop in the folder ``out``.

    Raises:
        InputError: the folder holds something else.
        FtrlError: a stage failed; what was finished is kept.
    """
    folder = RunFolder(out).path
    config = _training(folder)
    stages = _Stages(watcher)
    stages.begin("tasks")
    _tasks(folder)
    stages.begin("model")
    if not Path(config.model).exists():
        init_tiny(config.model, context=CONTEXT_TOKENS + RESPONSE_TOKENS)
    with ray_session(logical_resources(config.hardware)):
        stages.begin("evaluate the untrained policy")
        before = evaluate(_evaluation(folder, "before", config.model))
        stages.begin("training")
        report = train(config, watcher)
        stages.begin("evaluate the trained policy")
        after = evaluate(_evaluation(folder, "after", report.iterations[-1].policy))
    stages.end()
    summary = QuickstartReport(
        out=str(folder),
        before=before,
        after=after,
        rewards=_rewards(RunFolder(config.out), len(report.iterations)),
        seconds=stages.seconds,
    )
    storage.write_bytes(folder / "summary.json", summary.model_dump_json(indent=2).encode())
    return summary


def _tasks(folder: Path) -> None:
    for split, count in (("train", TRAIN_TASKS), ("test", TEST_TASKS)):
        store = str(folder / "tasks" / split)
        if not is_store(store):
            synthesize(SynthesisConfig.model_validate({"out": store, "count": count, "split": split}))


def _evaluation(folder: Path, name: str, model: str) -> EvalConfig:
    return EvalConfig(
        tasks=str(folder / "tasks" / "test"),
        model=model,
        out=str(folder / "evaluation" / name),
        episode=EpisodeSettings(max_turns=MAX_TURNS, max_response_tokens=RESPONSE_TOKENS),
        engine=EngineSettings(max_model_len=CONTEXT_TOKENS + RESPONSE_TOKENS),
    )


def _training(folder: Path) -> TrainConfig:
    return TrainConfig(
        model=str(folder / "model"),
        tasks=str(folder / "tasks" / "train"),
        out=str(folder / "training"),
        iterations=1,
        step_timeout=20,
        collect=CollectConfig(max_turns=MAX_TURNS),
        reward=RewardConfig(workers=1),
        optim=OptimConfig(
            batch_size=8,
            mini_batch_size=8,
            samples_per_prompt=8,
            max_prompt_tokens=CONTEXT_TOKENS,
            max_response_tokens=RESPONSE_TOKENS,
            tokens_per_gpu=16384,
            learning_rate=1e-3,
            kl_loss=0.0,
            max_steps=STEPS,
            save_every=STEPS,
        ),
        hardware=HardwareConfig(device="cpu"),
    )


def _rewards(run: RunFolder, iterations: int) -> list[float]:
    rows = [row for number in range(1, iterations + 1) for row in run.metrics(number).rows()]
    return [row["critic/score/mean"] for row in rows]
