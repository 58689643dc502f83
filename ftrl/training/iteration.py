"""One iteration: collect → train → merge, by the policy that it begins with (paper, section 3.3).

Each stage leaves something that says that it is done, and what is done is not done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ftrl import telemetry
from ftrl.models import merge_checkpoint
from ftrl.rollouts import CollectConfig, EngineSettings, EpisodeSettings, collect
from ftrl.rollouts.engine_processes import sweeping_segments
from ftrl.training.chunks import TaskChunks
from ftrl.training.config import TrainConfig
from ftrl.training.platforms import process_environment, trainer_resources
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.run_folder import RunFolder
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream, prepare, prepare_apart
from ftrl.training.task_rows import prepare_tasks
from ftrl.training.verl_config import episode_values, verl_config
from ftrl.training.watcher import Watcher, noted

if TYPE_CHECKING:
    from ftrl.training.runner import Beside

TOKENISERS = 8
"""Processes of a GPU node that make prompts, at most; they are gone before training begins."""


@dataclass(frozen=True)
class Iteration:
    """One of a run's iterations.

    Attributes:
        config: of the run.
        run: where it writes.
        number: 1-based.
        policy: folder of the model that it begins with.
        environments: path of the store of tasks.
        watcher: is told how it goes on.
    """

    config: TrainConfig
    run: RunFolder
    number: int
    policy: str
    environments: str
    watcher: Watcher

    def finish(self) -> None:
        """Do what is missing, up to the merged policy.

        Raises:
            InputError: settings, tasks or model are wrong.
            FtrlError: a stage failed; what was finished is kept.
        """
        self.run.iteration(self.number).mkdir(parents=True, exist_ok=True)
        if self.config.collect.overlap:
            self._train_while_collecting()
        else:
            self._collect_then_train()
        self.watcher.stage(self.number, "merge")
        merge_checkpoint(str(self.run.checkpoints(self.number)), str(self.run.policy(self.number)))

    @cached_property
    def stream(self) -> StreamSettings:
        """What is read, and how it becomes prompts."""
        return StreamSettings(
            trajectories=self.run.trajectories,
            iteration=self.number,
            environments=self.environments,
            model=self.policy,
            max_prompt_tokens=self.config.optim.max_prompt_tokens,
            thinking=self.config.thinking,
            seed=self.config.seed + self.number,
            select=self.config.select,
            limit=self.config.collect.limit,
            tokenisers=TOKENISERS * self.config.hardware.nodes if self.config.hardware.device == "gpu" else 1,
        )

    @cached_property
    def collection(self) -> CollectConfig:
        """How trajectories are collected."""
        config = self.config
        return CollectConfig(
            tasks=self.environments,
            model=self.policy,
            out=self.run.trajectories,
            samples=config.collect.samples,
            iteration=self.number,
            limit=config.collect.limit,
            resume=True,
            episode=EpisodeSettings.model_validate(episode_values(config)),
            engine=EngineSettings(
                engines=config.collect.engines,
                tensor_parallel=config.hardware.tensor_parallel if config.hardware.device == "gpu" else 1,
                max_model_len=config.optim.max_prompt_tokens + config.optim.max_response_tokens,
            ),
        )

    def train(self, steps: Steps, beside: Beside | None = None) -> None:
        """Train to the last step, with new trainers in place of those that stop.

        Args:
            steps: all that are to be done.
            beside: is called now and then meanwhile.

        Raises:
            TrainerStopped: a trainer stopped before its first step, or too often without a new checkpoint.
        """
        from ftrl.training.runner import TrainerStopped

        run, number, restarts = self.run, self.number, 0
        while not steps.done(run.trained(number)):
            run.mend(number)
            begun = run.trained(number)
            if steps.done(begun):  # only the mark was missing
                return
            try:
                self.train_on(steps, beside)
            except TrainerStopped as stopped:
                reached = run.trained(number)
                restarts = 1 if reached > begun else restarts + 1
                if not stopped.steps or restarts > self.config.restarts:
                    raise
                telemetry.RESTARTS.add(run=self._name)
                self.watcher.note(
                    number,
                    f"the trainer stopped after step {begun + stopped.steps} ({stopped.why}); it is started again from "
                    f"step {reached} (restart {restarts} of {self.config.restarts} without a new checkpoint)",
                )

    def train_on(self, steps: Steps, beside: Beside | None) -> None:
        """Train from the last checkpoint on, with one trainer.

        Raises:
            TrainerStopped: it stopped before the last step.
        """
        from ftrl.training.runner import TrainerActor, watched

        run, number, hardware = self.run, self.number, self.config.hardware
        composed = verl_config(
            self.config,
            model=self.policy,
            environments=self.environments,
            checkpoints=str(run.checkpoints(number)),
            name=self._name,
        )
        with sweeping_segments():
            watched(
                TrainerActor,
                (composed, PromptStream(steps.prompts, composed.data.gen_batch_size), run.order(number), steps),
                env_vars={**process_environment(hardware), "TENSORBOARD_DIR": str(run.tensorboard(number))},
                resources=trainer_resources(hardware),
                step_timeout=self.config.step_timeout,
                on_step=noted(run.metrics(number), run.trained(number), self.watcher),
                beside=beside,
            )

    def _collect_then_train(self) -> None:
        if self.config.mode == "step":
            self.watcher.stage(self.number, "collect")
            collect(self.collection)
        self.watcher.stage(self.number, "train")
        prompts = self.run.prompts(self.number)
        if not prompts.exist():
            prepare_apart(self.stream, prompts, prepare if self.config.mode == "step" else prepare_tasks)
        selected = prompts.selected()
        self.watcher.note(self.number, str(selected))
        self.train(Steps(PromptChunks([prompts]), self.config.optim, most_prompts=selected.prompts))

    def _train_while_collecting(self) -> None:
        """Train on chunks of prompts while the rest is being collected."""
        from ftrl.training.overlap import Production, tasks_of_a_chunk

        tasks = TaskChunks(self.stream, tasks_of_a_chunk(self.config))
        chunks = self.run.chunks(self.number, len(tasks.ids))
        self.watcher.stage(self.number, "collect")
        self.watcher.stage(self.number, "train")
        with Production(
            self.collection, self.stream, tasks, chunks, lambda text: self.watcher.note(self.number, text)
        ) as production:
            # An episode has a prompt before its first turn and one after each.
            most = len(tasks.rows) * self.config.collect.samples * (self.config.collect.max_turns + 1)
            self.train(Steps(production.prompts, self.config.optim, most_prompts=most), production.tend)
            production.finish()

    @property
    def _name(self) -> str:
        """What it is called where it is watched."""
        return f"{self.run.path.name}-iteration-{self.number}"
