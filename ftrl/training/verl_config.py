"""``TrainConfig`` → verl's configuration. Every setting that differs from verl's default stands here."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ftrl.ray_session import logical_node
from ftrl.training.config import HardwareConfig, TrainConfig
from ftrl.training.verl_defaults import check_overrides, verl_defaults

AGENT_LOOPS_OF = {"step": "ftrl_step", "trajectory": "ftrl_episode"}
AGENT_LOOPS = Path(__file__).with_name("agent_loops.yaml")
"""Our agent loops' names by the mode of training, and the file by which verl finds their classes."""

GRPO_BY_TURN = "ftrl_grpo_by_turn"
"""Our advantage estimator's name, under which the trainer registers it with verl."""


def verl_config(config: TrainConfig, *, model: str, environments: str, checkpoints: str, name: str) -> DictConfig:
    """verl's resolved configuration for one iteration.

    Args:
        config: the run.
        model: folder of the policy that this iteration starts from.
        environments: the store in which reward actors look up tools.
        checkpoints: folder for verl's checkpoints.
        name: the experiment's name for trackers.

    Raises:
        InputError: ``config.verl`` names a setting that verl does not have.
        FtrlError: verl is not installed.
    """
    check_overrides(config.verl)
    composed = copy.deepcopy(verl_defaults())
    settings = {**_recipe(config), **_wiring(config, model, environments, checkpoints, name)}
    if config.mode == "trajectory":
        settings.update(_of_whole_episodes(config))
    if config.optim.credit == "turn":
        settings.update(_credited_by_turn(config))
    if config.hardware.device == "cpu":
        settings.update(_on_cpu(config))
    settings.update({key.removeprefix("+"): value for key, value in config.verl.items()})
    return set_all(composed, settings)


def set_all(composed: DictConfig, settings: Mapping[str, Any]) -> DictConfig:
    """Put settings into a configuration, by their dotted names; returns it."""
    OmegaConf.set_struct(composed, False)
    for key, value in settings.items():
        OmegaConf.update(composed, key, value, force_add=True)
    OmegaConf.set_struct(composed, True)
    return composed


def _recipe(config: TrainConfig) -> dict[str, Any]:
    """The published settings (paper, section 4.1 and its scripts), as far as the run does not say otherwise."""
    optim, hardware = config.optim, config.hardware
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    return {
        "algorithm.adv_estimator": config.algorithm,
        "algorithm.use_kl_in_reward": False,
        "algorithm.filter_groups.enable": optim.replace_flat_groups,
        "algorithm.filter_groups.metric": "reward",
        "data.train_batch_size": optim.batch_size,
        # Groups are replaced one by one.
        "data.gen_batch_size": 1 if optim.replace_flat_groups else optim.batch_size,
        "data.max_prompt_length": optim.max_prompt_tokens,
        "data.max_response_length": optim.max_response_tokens,
        "data.filter_overlong_prompts": True,
        "data.truncation": "error",
        "data.apply_chat_template_kwargs": {"enable_thinking": config.thinking},
        "actor_rollout_ref.model.use_remove_padding": True,
        "actor_rollout_ref.model.enable_gradient_checkpointing": True,
        f"{actor}.optim.lr": optim.learning_rate,
        f"{actor}.ppo_mini_batch_size": optim.mini_batch_size,
        f"{actor}.use_dynamic_bsz": True,
        f"{actor}.ppo_max_token_len_per_gpu": optim.tokens_per_gpu,
        f"{actor}.use_kl_loss": optim.kl_loss > 0,
        f"{actor}.kl_loss_coef": optim.kl_loss,
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{actor}.entropy_coeff": optim.entropy,
        f"{actor}.fsdp_config.param_offload": False,
        f"{actor}.fsdp_config.optimizer_offload": False,
        "actor_rollout_ref.ref.fsdp_config.param_offload": hardware.reference_offload,
        f"{rollout}.name": "vllm",
        f"{rollout}.temperature": config.collect.temperature,
        f"{rollout}.tensor_model_parallel_size": hardware.tensor_parallel,
        f"{rollout}.gpu_memory_utilization": hardware.gpu_memory,
        f"{rollout}.n": optim.samples_per_prompt,
        f"{rollout}.max_num_batched_tokens": optim.tokens_per_gpu,
        f"{rollout}.seed": config.seed,
        "trainer.critic_warmup": 0,
        "trainer.val_before_train": False,
        "trainer.test_freq": -1,
        "trainer.save_freq": optim.save_every,
        "trainer.total_epochs": optim.epochs,
        "trainer.total_training_steps": optim.max_steps,
        "trainer.nnodes": hardware.nodes,
        "trainer.n_gpus_per_node": hardware.gpus_per_node,
        "data.seed": config.seed,
    }


def _wiring(config: TrainConfig, model: str, environments: str, checkpoints: str, name: str) -> dict[str, Any]:
    """Where our parts are plugged in, and where things lie."""
    rollout = "actor_rollout_ref.rollout"
    return {
        "actor_rollout_ref.model.path": model,
        f"{rollout}.agent.default_agent_loop": AGENT_LOOPS_OF[config.mode],
        f"{rollout}.agent.agent_loop_config_path": str(AGENT_LOOPS),
        "reward.num_workers": config.reward.workers,
        "reward.reward_manager.source": "importlib",
        "reward.reward_manager.name": "StepRewardManager",
        "reward.reward_manager.module.path": "pkg://ftrl.training.reward_manager",
        "ftrl": {
            "environments": environments,
            "metric": config.reward.metric,
            "profile": config.reward.profile,
            "sandbox_workers": config.reward.sandbox_workers,
            "credit": config.optim.credit,
            "episode": episode_values(config),
        },
        "trainer.use_v1": True,
        "trainer.v1.trainer_mode": "sync",
        "trainer.default_local_dir": checkpoints,
        "trainer.resume_mode": "auto",
        "trainer.max_actor_ckpt_to_keep": 2,
        "trainer.logger": list(config.loggers),
        "trainer.project_name": "ftrl",
        "trainer.experiment_name": name,
        "transfer_queue.enable": True,
    }


def episode_values(config: TrainConfig) -> dict[str, Any]:
    """How episodes are played, in collection and in training: what ``EpisodeSettings`` are made of.

    Not these themselves: a dry run shall do without what plays episodes.
    """
    return {
        "max_turns": config.collect.max_turns,
        "temperature": config.collect.temperature,
        "max_response_tokens": config.optim.max_response_tokens,
        "thinking": config.thinking,
        "profile": config.reward.profile,
    }


def _of_whole_episodes(config: TrainConfig) -> dict[str, Any]:
    """To verl, all that follows the task is one response: it may be as long as the context is."""
    context = config.optim.max_prompt_tokens + config.optim.max_response_tokens
    return {"data.max_response_length": context, "actor_rollout_ref.rollout.max_model_len": context}


def _credited_by_turn(config: TrainConfig) -> dict[str, Any]:
    """Reinforce++ looks ahead from each token as it is; GRPO has one advantage for all tokens of an episode."""
    estimator = GRPO_BY_TURN if config.algorithm == "grpo" else config.algorithm
    # A sequence's own rewards are only those from its first turn on; a group is flat by what its episodes earned.
    return {"algorithm.adv_estimator": estimator, "algorithm.filter_groups.metric": "score"}


def mixed_precision(hardware: HardwareConfig) -> dict[str, str]:
    """What FSDP computes in on a CPU; the parameters themselves, and the sums of gradients, are float32."""
    computed = {"float32": "fp32", "bfloat16": "bf16"}[hardware.cpu_dtype]
    return {"param_dtype": computed, "reduce_dtype": "fp32", "buffer_dtype": "fp32"}


def _on_cpu(config: TrainConfig) -> dict[str, Any]:
    """One machine, no accelerator: one logical GPU, as few processes as verl allows."""
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    vllm = f"{rollout}.engine_kwargs.vllm"
    precision = mixed_precision(config.hardware)
    length = config.optim.max_prompt_tokens + config.optim.max_response_tokens
    return {
        "trainer.device": "cpu",
        "trainer.nnodes": 1,
        "trainer.n_gpus_per_node": 1,
        "actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
        "actor_rollout_ref.model.use_remove_padding": False,
        "actor_rollout_ref.model.enable_gradient_checkpointing": False,
        # FSDP 1 refuses parameters on the CPU.
        f"{actor}.strategy": "fsdp2",
        f"{actor}.use_torch_compile": False,
        f"{actor}.fsdp_config.use_torch_compile": False,
        f"{actor}.fsdp_config.mixed_precision": precision,
        f"{actor}.fsdp_config.dtype": "float32",
        "actor_rollout_ref.ref.strategy": "fsdp2",
        "actor_rollout_ref.ref.use_torch_compile": False,
        "actor_rollout_ref.ref.fsdp_config.use_torch_compile": False,
        "actor_rollout_ref.ref.fsdp_config.mixed_precision": precision,
        "actor_rollout_ref.ref.fsdp_config.param_offload": False,
        f"{rollout}.tensor_model_parallel_size": 1,
        f"{rollout}.dtype": config.hardware.cpu_dtype,
        f"{rollout}.enforce_eager": True,
        f"{rollout}.free_cache_engine": False,
        f"{rollout}.enable_sleep_mode": False,
        f"{rollout}.max_model_len": length,
        f"{rollout}.max_num_batched_tokens": max(length, 2048),
        f"{rollout}.max_num_seqs": 64,
        f"{rollout}.agent.num_workers": 1,
        f"{vllm}.distributed_executor_backend": "uni",
        f"{vllm}.worker_extension_cls": "ftrl.training.cpu_vllm.CpuColocateWorkerExtension",
        "reward.num_workers": 1,
        "data.dataloader_num_workers": 0,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        # Otherwise it is pinned to any node, and waits for ever where that one's CPUs are taken.
        "transfer_queue.backend.SimpleStorage.required_node_resource": logical_node(),
    }
