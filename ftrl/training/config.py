"""What a training run is told: YAML files, read into typed parts.

Defaults are the published recipe (paper, section 4.1). ``verl_config`` turns this into verl's own configuration;
nothing of it is hidden, and ``verl`` at the end overrides any of verl's settings by its dotted name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ftrl.errors import InputError
from ftrl.settings_files import read_layers
from ftrl.training.verl_defaults import check_overrides

Logger = Literal["console", "tensorboard", "wandb", "mlflow", "swanlab"]
"""A tracker, by the name by which verl knows it."""

CONSTANT_RATE = {
    "actor_rollout_ref.actor.optim.lr_scheduler_type": "constant",
    "actor_rollout_ref.actor.optim.lr_warmup_steps_ratio": 0,
    "actor_rollout_ref.actor.optim.warmup_style": "constant",
}
"""verl's settings of a learning rate that goes by the number of steps, each with the value by which it does not."""


class Part(BaseModel):
    """Base of the parts: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CollectConfig(Part):
    """How trajectories are collected (paper, section 3.3)."""

    samples: int = Field(default=1, ge=1, description="Episodes per task and iteration.")
    max_turns: int = Field(default=20, ge=1, description="Assistant turns after which an episode is cut off.")
    temperature: float = Field(default=1.0, ge=0)
    engines: int = Field(default=1, ge=1, description="vLLM engines side by side; each takes `tensor_parallel` GPUs.")
    limit: int | None = Field(default=None, ge=1, description="Use only the first tasks.")
    overlap: bool = Field(
        default=False,
        description="Train on what has been collected while the rest is still being played; the engines that play it "
        "need GPUs beside the trainer's.",
    )


class SelectConfig(Part):
    """Which snapshots are trained on. Published: all that are not over-long, which is what the defaults say."""

    drop_flat_tasks: bool = Field(
        default=False, description="Leave out tasks whose samples, two or more, all earned the same F1."
    )
    drop_repeated_states: bool = Field(
        default=False, description="Of equal prompts of a task, train on one: samples share their beginnings."
    )
    scenario_cap: float | None = Field(
        default=None, ge=1, description="No scenario has more than so many times the prompts of the rarest."
    )
    solve_rate_cap: float | None = Field(
        default=None,
        ge=1,
        description="The same for the states in which nothing, something and all of the task is solved.",
    )


class WarmStartConfig(Part):
    """What the policy is shown before the first iteration: golden conversations of the run's tasks (supervised)."""

    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=64, ge=1, description="Conversations per update.")
    learning_rate: float = Field(default=1e-5, ge=0)
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many updates.")
    save_every: int = Field(default=120, ge=1, description="Updates between checkpoints.")
    limit: int | None = Field(default=None, ge=1, description="Show only the first tasks.")


class RewardConfig(Part):
    """What is rewarded (paper, section 3.2)."""

    metric: Literal["solve_f1", "solve_pr", "solve_rate", "solve_precision"] = "solve_f1"
    profile: Literal["reference", "strict"] = Field(
        default="reference", description="The rules that are trained on (docs/scoring.md); step metrics show both."
    )
    workers: int = Field(default=8, ge=1, description="Reward actors; those of a node share its sandbox.")
    sandbox_workers: int | None = Field(
        default=None, ge=1, description="Tools at work on each node; one per core if left out."
    )


class OptimConfig(Part):
    """How the policy is updated."""

    batch_size: int = Field(default=512, ge=1, description="Prompts per step.")
    mini_batch_size: int = Field(default=32, ge=1, description="Prompts per optimiser update.")
    samples_per_prompt: int = Field(default=16, ge=1, description="Responses sampled per prompt: the group of GRPO.")
    max_prompt_tokens: int = Field(default=16384, ge=1, description="Longer prompts are left out.")
    max_response_tokens: int = Field(default=1024, ge=1, description="8192 for thinking.")
    tokens_per_gpu: int = Field(default=32768, ge=1, description="Dynamic batch: tokens of one forward pass.")
    learning_rate: float = Field(default=1e-6, ge=0)
    kl_loss: float = Field(default=0.001, ge=0, description="Weight of the KL loss (low_var_kl); 0 turns it off.")
    entropy: float = Field(default=0.001, ge=0)
    credit: Literal["episode", "turn"] = Field(
        default="episode",
        description="What a token of a whole episode answers for: all that the episode earned, or what its own turn "
        "and the turns after it earned.",
    )
    replace_flat_groups: bool = Field(
        default=False,
        description="Sample other prompts in place of those whose responses all got the same reward, and teach "
        "nothing (dynamic sampling, as in DAPO); a step then takes more prompts.",
    )
    epochs: int = Field(default=1, ge=1)
    max_steps: int | None = Field(default=None, ge=1, description="Stop an iteration after this many steps.")
    save_every: int = Field(default=120, ge=1, description="Steps between checkpoints; the last step is always saved.")

    @model_validator(mode="after")
    def _batches_fit(self) -> OptimConfig:
        if self.batch_size % self.mini_batch_size:
            raise ValueError("batch_size must be a multiple of mini_batch_size")
        longest = self.max_prompt_tokens + self.max_response_tokens
        if self.tokens_per_gpu < longest:
            raise ValueError(
                f"tokens_per_gpu must be at least {longest}, max_prompt_tokens and max_response_tokens together: "
                "a response is never split over two forward passes"
            )
        return self


class HardwareConfig(Part):
    """What the run has to run on."""

    device: Literal["gpu", "cpu"] = "gpu"
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=8, ge=1)
    tensor_parallel: int = Field(default=2, ge=1)
    gpu_memory: float = Field(default=0.7, gt=0, le=1, description="Share of a GPU's memory that vLLM takes.")
    reference_offload: bool = Field(default=True, description="Keep the reference model's parameters in host memory.")
    cpu_dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="What a CPU computes in; the weights that are updated are float32. bfloat16 is the faster one on a "
        "CPU with instructions for it (avx512_bf16, AMX).",
    )

    @property
    def gpus(self) -> int:
        """GPUs that train; one process, on a CPU."""
        return self.nodes * self.gpus_per_node if self.device == "gpu" else 1

    @model_validator(mode="after")
    def _engines_fit(self) -> HardwareConfig:
        tensor, node = self.tensor_parallel, self.gpus_per_node
        if self.device == "gpu" and (self.gpus % tensor or (node % tensor and tensor % node)):
            raise ValueError(
                f"tensor_parallel is {tensor}, but {self.nodes} x {node} GPUs cannot be shared out to engines of "
                f"{tensor}; make gpus_per_node a multiple of tensor_parallel"
            )
        return self


class TrainConfig(Part):
    """A whole run.

    Attributes:
        model: folder of the policy to start from.
        tasks: a store, or a JSONL or Parquet file in the published format.
        out: the run's folder; all its state lies there.
        algorithm: grpo or reinforce_plus_plus.
        mode: step trains on the next turn of collected conversations, as published; trajectory on whole episodes, which
            the policy in training plays itself.
        warm_start: a supervised stage before the first iteration; none if left out.
        iterations: rounds of collect → train → merge, each with the newest policy; without collect for whole episodes.
        thinking: let the model think before it acts (Qwen3).
        step_timeout: minutes without a finished training step after which the trainer is stopped.
        restarts: how often a trainer that stopped after a step is started again, without a new checkpoint in between.
        loggers: verl's trackers; the run's own metrics.jsonl is always written.
        verl: verl settings by dotted name, applied last; a name that verl does not have needs a ``+`` before it.
    """

    model: str
    tasks: str
    out: str
    algorithm: Literal["grpo", "reinforce_plus_plus"] = "grpo"
    mode: Literal["step", "trajectory"] = "step"
    iterations: int = Field(default=3, ge=1)
    thinking: bool = False
    seed: int = 0
    step_timeout: float = Field(default=120, gt=0)
    restarts: int = Field(default=3, ge=0)
    loggers: tuple[Logger, ...] = ("console", "tensorboard")
    collect: CollectConfig = CollectConfig()
    warm_start: WarmStartConfig | None = None
    select: SelectConfig = SelectConfig()
    reward: RewardConfig = RewardConfig()
    optim: OptimConfig = OptimConfig()
    hardware: HardwareConfig = HardwareConfig()
    verl: dict[str, Any] = Field(default_factory=dict)

    @field_validator("model", "tasks", "out")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _there_are_turns_to_credit(self) -> TrainConfig:
        if self.optim.credit == "turn" and self.mode != "trajectory":
            raise ValueError(
                "optim.credit: turn is for whole episodes (mode: trajectory); in steps every turn has a reward of its "
                "own as it is"
            )
        return self

    @model_validator(mode="after")
    def _nothing_needs_all_prompts_beforehand(self) -> TrainConfig:
        if not self.collect.overlap:
            return self
        if self.mode != "step":
            raise ValueError(
                "collect.overlap is for steps (mode: step); whole episodes are played by the policy in training itself"
            )
        for name in ("scenario_cap", "solve_rate_cap"):
            if getattr(self.select, name) is not None:
                raise ValueError(
                    f"select.{name} balances all prompts of an iteration, and with collect.overlap the first are "
                    "trained on before the last are there; leave one of the two out"
                )
        for name, constant in CONSTANT_RATE.items():
            if (value := self.verl.get(name)) not in (None, constant):
                raise ValueError(
                    f"{name}: {value} goes by the number of steps, which with collect.overlap is known only in the "
                    "end; leave one of the two out (a warm-up may be given as lr_warmup_steps)"
                )
        return self

    @model_validator(mode="after")
    def _updates_fit_the_gpus(self) -> TrainConfig:
        responses = self.optim.mini_batch_size * self.optim.samples_per_prompt
        if responses % self.hardware.gpus:
            raise ValueError(
                f"an update of optim.mini_batch_size x optim.samples_per_prompt = {responses} responses cannot be "
                f"shared out evenly to {self.hardware.gpus} GPUs (hardware.nodes x hardware.gpus_per_node)"
            )
        return self


def load_config(files: str | Sequence[str], overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a run's settings.

    Args:
        files: YAML files, local or s3://, each laid over those before it; one may be given as it is.
        overrides: ``key=value`` with dotted keys, values in YAML; laid over the files.

    Raises:
        InputError: a file is missing, is not YAML, or a field is wrong; the message names file, line and field.
    """
    layers = read_layers(files, overrides)
    config = layers.into(TrainConfig)
    try:
        check_overrides(config.verl)
    except InputError as error:
        raise layers.error(error.message, "verl", str(error.field).removeprefix("verl.")) from error
    return config
