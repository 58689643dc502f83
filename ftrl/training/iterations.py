"""The whole run: collect → train → merge, as often as asked, each time with the newest policy (paper, section 3.3).

Every stage leaves something that says that it is done: trajectories in the store, checkpoints, the merged policy.
A run that was stopped at any point is started again with the same command, and does only what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel

from ftrl import telemetry
from ftrl.environments import import_published, is_store
from ftrl.models import check_model_folder, merge_checkpoint
from ftrl.ray_session import ray_session
from ftrl.rollouts import CollectConfig, EngineSettings, EpisodeSettings, TrajectoryStore, collect
from ftrl.rollouts.engine_processes import sweeping_segments
from ftrl.training.chunks import TaskChunks
from ftrl.training.config import TrainConfig
from ftrl.training.loggers import check_loggers
from ftrl.training.platforms import logical_resources, process_environment, trainer_resources
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.run_folder import RunFolder
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.step_metrics import StepMetrics
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream, prepare, prepare_apart
from ftrl.training.task_rows import prepare_tasks
from ftrl.training.verl_config import episode_values, verl_config

if TYPE_CHECKING:
    from ftrl.training.runner import Beside, OnStep

TOKENISERS = 8
"""Processes of a GPU node that make prompts, at most; they are gone before training begins."""


class Watcher(Protocol):
    """Is told how a run goes on; the command line shows it."""

    def stage(self, iteration: int, name: str) -> None:
        """A stage begins: ``collect``, ``train`` or ``merge``."""

    def note(self, iteration: int, text: str) -> None:
        """Something that is worth a line."""

    def step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """A training step has finished."""


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
                _iterate(config, run, number, policy, environments, watcher)
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
    noted = _noted(StepMetrics(run.warm_start / "metrics.jsonl"), run.warmed, watcher)
    warm_start(config, config.warm_start, run, policy, environments, noted)


def _noted(metrics: StepMetrics, trained: int, watcher: Watcher) -> OnStep:
    """For a trainer that goes on after the step ``trained``: what is told each step, to note it and tell it on."""
    metrics.rewind(trained)

    def note(step: int, total: int, values: Mapping[str, float]) -> None:
        metrics.append(step, total, values)
        watcher.step(step, total, values)

    return note


def _iterate(
    config: TrainConfig, run: RunFolder, number: int, policy: str, environments: str, watcher: Watcher
) -> None:
    run.iteration(number).mkdir(parents=True, exist_ok=True)
    stream = _stream(config, run, number, policy, environments)
    if config.collect.overlap:
        _collect_and_train(config, run, number, stream, watcher)
    else:
        if config.mode == "step":
            watcher.stage(number, "collect")
            collect(_collection(config, run, number, stream))
        watcher.stage(number, "train")
        prompts = run.prompts(number)
        if not prompts.exist():
            prepare_apart(stream, prompts, prepare if config.mode == "step" else prepare_tasks)
        selected = prompts.selected()
        watcher.note(number, str(selected))
        steps = Steps(PromptChunks([prompts]), config.optim, most_prompts=selected.prompts)
        _train(config, run, number, stream, steps, watcher)
    watcher.stage(number, "merge")
    merge_checkpoint(str(run.checkpoints(number)), str(run.policy(number)))


def _collect_and_train(
    config: TrainConfig, run: RunFolder, number: int, stream: StreamSettings, watcher: Watcher
) -> None:
    """Train on chunks of prompts while the rest is being collected, by the policy that the iteration begins with."""
    from ftrl.training.overlap import Production, tasks_of_a_chunk

    tasks = TaskChunks(stream, tasks_of_a_chunk(config))
    chunks = run.chunks(number, len(tasks.ids))
    watcher.stage(number, "collect")
    watcher.stage(number, "train")
    collection = _collection(config, run, number, stream)
    with Production(collection, stream, tasks, chunks, lambda text: watcher.note(number, text)) as production:
        # An episode has a prompt before its first turn and one after each.
        most = len(tasks.rows) * config.collect.samples * (config.collect.max_turns + 1)
        steps = Steps(production.prompts, config.optim, most_prompts=most)
        _train(config, run, number, stream, steps, watcher, production.tend)
        production.finish()


def _collection(config: TrainConfig, run: RunFolder, number: int, stream: StreamSettings) -> CollectConfig:
    length = config.optim.max_prompt_tokens + config.optim.max_response_tokens
    return CollectConfig(
        tasks=stream.environments,
        model=stream.model,
        out=run.trajectories,
        samples=config.collect.samples,
        iteration=number,
        limit=config.collect.limit,
        resume=True,
        episode=EpisodeSettings.model_validate(episode_values(config)),
        engine=EngineSettings(
            engines=config.collect.engines,
            tensor_parallel=config.hardware.tensor_parallel if config.hardware.device == "gpu" else 1,
            max_model_len=length,
        ),
    )


def _train(
    config: TrainConfig,
    run: RunFolder,
    number: int,
    stream: StreamSettings,
    steps: Steps,
    watcher: Watcher,
    beside: Beside | None = None,
) -> None:
    from ftrl.training.runner import TrainerStopped

    restarts = 0
    while not steps.done(run.trained(number)):
        run.mend(number)
        begun = run.trained(number)
        if steps.done(begun):  # only the mark was missing
            return
        try:
            _train_on(config, run, number, stream, steps, watcher, beside)
        except TrainerStopped as stopped:
            reached = run.trained(number)
            restarts = 1 if reached > begun else restarts + 1
            if not stopped.steps or restarts > config.restarts:
                raise
            telemetry.RESTARTS.add(run=_name(run, number))
            watcher.note(
                number,
                f"the trainer stopped after step {begun + stopped.steps} ({stopped.why}); it is started again from "
                f"step {reached} (restart {restarts} of {config.restarts} without a new checkpoint)",
            )


def _name(run: RunFolder, number: int) -> str:
    """What an iteration is called where it is watched."""
    return f"{run.path.name}-iteration-{number}"


def _stream(config: TrainConfig, run: RunFolder, number: int, policy: str, environments: str) -> StreamSettings:
    return StreamSettings(
        trajectories=run.trajectories,
        iteration=number,
        environments=environments,
        model=policy,
        max_prompt_tokens=config.optim.max_prompt_tokens,
        thinking=config.thinking,
        seed=config.seed + number,
        select=config.select,
        limit=config.collect.limit,
        tokenisers=TOKENISERS * config.hardware.nodes if config.hardware.device == "gpu" else 1,
    )


def _train_on(
    config: TrainConfig,
    run: RunFolder,
    number: int,
    stream: StreamSettings,
    steps: Steps,
    watcher: Watcher,
    beside: Beside | None,
) -> None:
    """Train an iteration from its last checkpoint on."""
    from ftrl.training.runner import TrainerActor, watched

    composed = verl_config(
        config,
        model=stream.model,
        environments=stream.environments,
        checkpoints=str(run.checkpoints(number)),
        name=_name(run, number),
    )
    with sweeping_segments():
        watched(
            TrainerActor,
            (composed, PromptStream(steps.prompts, composed.data.gen_batch_size), run.order(number), steps),
            env_vars={**process_environment(config.hardware), "TENSORBOARD_DIR": str(run.tensorboard(number))},
            resources=trainer_resources(config.hardware),
            step_timeout=config.step_timeout,
            on_step=_noted(run.metrics(number), run.trained(number), watcher),
            beside=beside,
        )


def _report(config: TrainConfig, run: RunFolder, number: int) -> IterationReport:
    steps = run.trained(number)
    if config.mode == "step":
        episodes = TrajectoryStore.open(run.trajectories).count(number)
    else:
        episodes = steps * config.optim.batch_size * config.optim.samples_per_prompt
    return IterationReport(iteration=number, policy=str(run.policy(number)), steps=steps, episodes=episodes)
