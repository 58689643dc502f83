"""tasks → model → evaluate → collect → train → merge → evaluate."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel

from ftrl import storage
from ftrl.environments import is_store
from ftrl.errors import FtrlError
from ftrl.evaluation import EvalConfig, EvalResults, evaluate, incomplete
from ftrl.ray_session import ray_session
from ftrl.reports import write_report
from ftrl.rollouts import EngineSettings, EpisodeSettings
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tiny_policy import tiny_policy
from ftrl.training.config import CollectConfig, HardwareConfig, OptimConfig, RewardConfig, TrainConfig
from ftrl.training.iterations import train
from ftrl.training.platforms import logical_resources
from ftrl.training.run_folder import RunFolder
from ftrl.training.watcher import Watcher

TRAIN_TASKS, TEST_TASKS = 280, 200
PROMPT_TOKENS, RESPONSE_TOKENS = 448, 64
MAX_TURNS = 6
PROFILE = "strict"
STEPS = 30
LEARNING_RATE = 6e-4
"""Of the policy's updates, unless another is asked for."""


class QuickstartReport(BaseModel):
    """What the closing table shows.

    Attributes:
        out: where everything lies.
        report: the page that tells what came of it.
        before: the policy that the package brings along, on the held-out tasks.
        after: the trained policy on the same tasks.
        rewards: mean reward of each training step.
        seconds: wall clock of each stage of this call, by name.
    """

    out: str
    report: str
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


def quickstart(out: str, watcher: Watcher, *, seed: int = 0, learning_rate: float = LEARNING_RATE) -> QuickstartReport:
    """Run, or finish, the whole loop in the folder ``out``.

    Args:
        out: the folder.
        watcher: told how it goes on.
        seed: of the training's tasks and of all sampling; the held-out tasks are the same for all.
        learning_rate: 0 changes nothing: a control.

    Raises:
        InputError: the folder holds something else.
        FtrlError: a stage failed; what was finished is kept.
    """
    folder = RunFolder(out).path
    config = _training(folder, seed, learning_rate)
    stages = _Stages(watcher)
    stages.begin("tasks")
    _tasks(folder, seed)
    stages.begin("model")
    if not Path(config.model).exists():
        tiny_policy(config.model)
    with ray_session(logical_resources(config.hardware)):
        stages.begin("evaluate the policy")
        before = _evaluate(_evaluation(folder, "before", config.model))
        stages.begin("training")
        report = train(config, watcher)
        stages.begin("evaluate the trained policy")
        after = _evaluate(_evaluation(folder, "after", report.iterations[-1].policy))
    stages.end()
    summary = QuickstartReport(
        out=str(folder),
        report=str(folder / "report.html"),
        before=before,
        after=after,
        rewards=_rewards(RunFolder(config.out), len(report.iterations)),
        seconds=stages.seconds,
    )
    storage.write_bytes(folder / "summary.json", summary.model_dump_json(indent=2).encode())
    write_report(str(folder), summary.report)
    return summary


def _tasks(folder: Path, seed: int) -> None:
    for split, count, world in (("train", TRAIN_TASKS, seed), ("test", TEST_TASKS, 0)):
        store = str(folder / "tasks" / split)
        if not is_store(store):
            settings = {"out": store, "count": count, "split": split, "seed": world}
            synthesize(SynthesisConfig.model_validate(settings))


def _evaluate(config: EvalConfig) -> EvalResults:
    results = evaluate(config)
    if (missing := incomplete(results)) is not None:
        raise FtrlError(missing)
    return results


def _evaluation(folder: Path, name: str, model: str) -> EvalConfig:
    return EvalConfig(
        tasks=str(folder / "tasks" / "test"),
        model=model,
        out=str(folder / "evaluation" / name),
        episode=EpisodeSettings(
            max_turns=MAX_TURNS, max_response_tokens=RESPONSE_TOKENS, temperature=1.0, profile=PROFILE
        ),
        engine=EngineSettings(max_model_len=PROMPT_TOKENS + RESPONSE_TOKENS),
    )


def _training(folder: Path, seed: int, learning_rate: float) -> TrainConfig:
    return TrainConfig(
        model=str(folder / "model"),
        tasks=str(folder / "tasks" / "train"),
        out=str(folder / "training"),
        iterations=1,
        step_timeout=20,
        collect=CollectConfig(max_turns=MAX_TURNS),
        reward=RewardConfig(workers=1, profile=PROFILE),
        seed=seed,
        optim=OptimConfig(
            batch_size=8,
            mini_batch_size=8,
            samples_per_prompt=8,
            max_prompt_tokens=PROMPT_TOKENS,
            max_response_tokens=RESPONSE_TOKENS,
            tokens_per_gpu=4096,  # in larger pieces, most of the time goes into fetching memory and giving it back
            learning_rate=learning_rate,
            kl_loss=0.0,
            replace_flat_groups=True,
            max_steps=STEPS,
            save_every=STEPS,
        ),
        hardware=HardwareConfig(device="cpu"),
        # One update a step, on what the very same weights said: the engine's log-probabilities need not be made again.
        verl={"algorithm.rollout_correction.bypass_mode": True},
    )


def _rewards(run: RunFolder, iterations: int) -> list[float]:
    rows = [row for number in range(1, iterations + 1) for row in run.metrics(number).rows()]
    return [row["ftrl/score_sampled"] for row in rows]
