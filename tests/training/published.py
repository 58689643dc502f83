"""What the published scripts set, at the keys that verl 0.9 reads; and what verl is told by our files.

Most keys kept their names since the verl of the scripts (a 0.3.1 of the authors'). Those that did not:

* ``data.enable_thinking`` is ``data.apply_chat_template_kwargs.enable_thinking``;
* ``reward_model.reward_manager`` (``tool``) is ``reward.reward_manager``, with a class of ours by its module;
* ``custom_reward_function.name`` (``compute_solve_f1``) is read by that class, from ``ftrl.metric``;
* ``actor_rollout_ref.rollout.mode`` (``sync``) is gone: engines are asynchronous;
* ``ppo_max_token_len_per_gpu`` and ``use_dynamic_bsz`` hold for updates only; for log-probabilities verl now reads
  ``log_prob_*`` of ``rollout`` and ``ref``, which follow them;
* ``actor_rollout_ref.ref.fsdp_config.param_offload``: FSDP now offloads a reference model whatever it says.

``data.filter_overlong_prompts`` and ``data.truncation`` are for verl's own dataset, in whose place our stream stands:
it leaves longer prompts out, and cuts none (``test_stream.py``). ``data.system_style`` and ``data.prompt_key`` were for
the authors' dataset; a model's own chat template and our stream do their work.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import yaml

from ftrl.training import TrainConfig, load_config
from ftrl.training.dry_run import resolved_yaml
from ftrl.training.iteration import Iteration
from ftrl.training.run_folder import RunFolder
from ftrl.training.watcher import Watcher

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "jobs" / "configs" / "paper"
HARDWARE = ROOT / "jobs" / "configs" / "hardware"

MODELS = {
    "qwen2.5-7b": "Qwen2.5-7B-Instruct",
    "qwen2.5-14b": "Qwen2.5-14B-Instruct",
    "qwen3-8b": "Qwen3-8B",
    "qwen3-14b": "Qwen3-14B",
    "qwen3-8b-thinking": "Qwen3-8B",
    "qwen3-14b-thinking": "Qwen3-14B",
}
ALGORITHMS = {"grpo": "grpo", "reinforce-pp": "reinforce_plus_plus"}
RECIPES = [f"{policy}-{algorithm}" for policy in MODELS for algorithm in ALGORITHMS]
OVERLAYS = ["one-node", "nodes", "one-gpu", "cpu"]

ACTOR, ROLLOUT, REFERENCE = (f"actor_rollout_ref.{role}" for role in ("actor", "rollout", "ref"))

ON_HARDWARE: dict[str, Any] = {
    f"{ACTOR}.strategy": "fsdp",
    f"{ACTOR}.fsdp_config.offload_policy": False,
    f"{ACTOR}.fsdp_config.param_offload": False,
    f"{ACTOR}.fsdp_config.optimizer_offload": False,
    f"{REFERENCE}.fsdp_config.param_offload": True,
    f"{ROLLOUT}.tensor_model_parallel_size": 2,
    f"{ROLLOUT}.gpu_memory_utilization": 0.7,
    "trainer.n_gpus_per_node": 8,
    "trainer.nnodes": 1,
    "trainer.device": "cuda",
}
"""Published settings that say what the run has to run on."""

OF_THE_METHOD: dict[str, Any] = {
    "algorithm.use_kl_in_reward": False,
    "data.train_batch_size": 512,
    "data.max_prompt_length": 16384,
    "data.filter_overlong_prompts": True,
    "data.truncation": "error",
    "actor_rollout_ref.model.use_remove_padding": True,
    "actor_rollout_ref.model.enable_gradient_checkpointing": True,
    f"{ACTOR}.optim.lr": 1e-6,
    f"{ACTOR}.ppo_mini_batch_size": 32,
    f"{ACTOR}.use_dynamic_bsz": True,
    f"{ACTOR}.ppo_max_token_len_per_gpu": 32768,
    f"{ROLLOUT}.log_prob_use_dynamic_bsz": True,
    f"{ROLLOUT}.log_prob_max_token_len_per_gpu": 32768,
    f"{REFERENCE}.log_prob_use_dynamic_bsz": True,
    f"{REFERENCE}.log_prob_max_token_len_per_gpu": 32768,
    f"{ACTOR}.use_kl_loss": True,
    f"{ACTOR}.kl_loss_coef": 0.001,
    f"{ACTOR}.kl_loss_type": "low_var_kl",
    f"{ACTOR}.entropy_coeff": 0.001,
    f"{ROLLOUT}.name": "vllm",
    f"{ROLLOUT}.n": 16,
    f"{ROLLOUT}.max_num_batched_tokens": 32768,
    "reward.reward_manager.module.path": "pkg://ftrl.training.reward_manager",
    "reward.reward_manager.name": "StepRewardManager",
    "ftrl.metric": "solve_f1",
    "ftrl.profile": "reference",
    "trainer.critic_warmup": 0,
    "trainer.val_before_train": False,
    "trainer.save_freq": 120,
    "trainer.test_freq": -1,
    "trainer.total_epochs": 1,
    "trainer.total_training_steps": None,
}
"""The other published settings."""

LEFT_TO_ITS_VERL: dict[str, Any] = {
    f"{ROLLOUT}.temperature": 0.7,
    f"{ACTOR}.loss_agg_mode": "seq-mean-token-mean",
    f"{ROLLOUT}.top_p": 1,
    f"{ROLLOUT}.top_k": -1,
    f"{ACTOR}.clip_ratio": 0.2,
    f"{ACTOR}.clip_ratio_low": 0.2,
    f"{ACTOR}.clip_ratio_high": 0.2,
    f"{ACTOR}.clip_ratio_c": 3.0,
    f"{ACTOR}.grad_clip": 1.0,
    f"{ACTOR}.ppo_epochs": 1,
    f"{ACTOR}.shuffle": False,
    f"{ACTOR}.optim.weight_decay": 0.01,
    f"{ACTOR}.optim.lr_scheduler_type": "constant",
    f"{ACTOR}.optim.lr_warmup_steps": -1,
    f"{ACTOR}.optim.lr_warmup_steps_ratio": 0.0,
    "algorithm.gamma": 1.0,
    "algorithm.norm_adv_by_std_in_grpo": True,
    "algorithm.filter_groups.enable": False,
    "algorithm.rollout_correction.rollout_is": None,
    "algorithm.rollout_correction.rollout_rs": None,
}
"""What no script sets, but the verl that was published with them: today's must not decide otherwise unnoticed."""

PUBLISHED = {**ON_HARDWARE, **OF_THE_METHOD, **LEFT_TO_ITS_VERL}


def recipe(name: str) -> str:
    return str(PAPER / f"{name}.yaml")


def overlay(name: str) -> str:
    return str(HARDWARE / f"{name}.yaml")


@cache
def resolved(*files: str) -> dict[str, Any]:
    """What verl is told, flat: dotted names and values."""
    return flat(parsed(resolved_yaml(load_config(files))))


def iteration(config: TrainConfig, number: int) -> Iteration:
    """One of a run's iterations, of which nothing is done; nobody looks on."""
    return Iteration(config, RunFolder(config.out), number, "policy", "tasks", create_autospec(Watcher))


def parsed(text: str) -> dict[str, Any]:
    """A dry run's output, by the faster of PyYAML's two parsers where it is built in."""
    return dict(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def flat(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) and value else {above + key: value}
    return found


def of(settings: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: settings.get(key, "not there") for key in wanted}
