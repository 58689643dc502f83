"""The whole run: one iteration after the other, each with the newest policy (paper, section 3.3).

A run that was stopped at any point is started again with the same command, and does only what is missing.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from ftrl.environments import import_published, is_store
from ftrl.models import check_model_folder
from ftrl.ray_session import ray_session
from ftrl.rollouts import TrajectoryStore
from ftrl.training.config import TrainConfig
from ftrl.training.iteration import Iteration
from ftrl.training.loggers import check_loggers
from ftrl.training.platforms import logical_resources
from ftrl.training.run_folder import RunFolder
from ftrl.training.step_metrics import StepMetrics
from ftrl.training.watcher import Watcher, noted


class IterationReport(BaseModel):
    """One finished iteration: its merged policy, how many training steps it took, on how many episodes."""

    iteration: int
    policy: str
    steps: int
    episodes: int


class TrainReport(BaseModel):
    """A finished run."""

    out: str
    iterations: tuple[IterationReport, ...]


def train(config: TrainConfig, watcher: Watcher) -> TrainReport:
    """Run, or finish, every iteration.

    Raises:
        InputError: settings, tasks or model are wrong.
        FtrlError: a stage failed; what was finished is kept.
    """
    run = RunFolder(config.out)
    check_loggers(config.loggers)
    check_model_folder(config.model, tokens=config.optim.max_prompt_tokens + config.optim.max_response_tokens)
    run.claim(config)
    environments = _environments(config, run)
    reports: list[IterationReport] = []
    with ray_session(logical_resources(config.hardware)):
        if config.collect.overlap:
            from ftrl.training.overlap import check_room

            check_room(config)
        policy = str(Path(config.model).absolute())
        if config.warm_start is not None:
            if not run.warm_policy.exists():
                _warm_start(config, run, policy, environments, watcher)
            policy = str(run.warm_policy)
        for number in range(1, config.iterations + 1):
            if not run.policy(number).exists():
                Iteration(config, run, number, policy, environments, watcher).finish()
            policy = str(run.policy(number))
            reports.append(_report(config, run, number))
    return TrainReport(out=str(run.path), iterations=tuple(reports))


def _environments(config: TrainConfig, run: RunFolder) -> str:
    """The tasks as a store, which every worker can open and look things up in."""
    if is_store(config.tasks):
        return config.tasks if "://" in config.tasks else str(Path(config.tasks).absolute())
    if not is_store(run.environments):
        import_published(config.tasks, run.environments)
    return run.environments


def _warm_start(config: TrainConfig, run: RunFolder, policy: str, environments: str, watcher: Watcher) -> None:
    from ftrl.training.warm_start import warm_start

    assert config.warm_start is not None
    watcher.stage(0, "warm start")
    on_step = noted(StepMetrics(run.warm_start / "metrics.jsonl"), run.warmed, watcher)
    warm_start(config, config.warm_start, run, policy, environments, on_step)


def _report(config: TrainConfig, run: RunFolder, number: int) -> IterationReport:
    steps = run.trained(number)
    if config.mode == "step":
        episodes = TrajectoryStore.open(run.trajectories).count(number)
    else:
        episodes = steps * config.optim.batch_size * config.optim.samples_per_prompt
    return IterationReport(iteration=number, policy=str(run.policy(number)), steps=steps, episodes=episodes)
