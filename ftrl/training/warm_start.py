"""The stage before the first iteration, if it is asked for: the policy is shown golden conversations (supervised).

``demonstrations`` makes them of the run's tasks, verl's supervised trainer learns them, and what comes out is the
policy that the first iteration begins with. It goes on where it was, as everything here does.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ftrl.models import merge_checkpoint
from ftrl.rollouts import EpisodeSettings
from ftrl.rollouts.engine_processes import sweeping_segments
from ftrl.training.config import TrainConfig, WarmStartConfig
from ftrl.training.demonstrations import Recitals, write_demonstrations
from ftrl.training.platforms import process_environment, trainer_resources
from ftrl.training.run_folder import RunFolder
from ftrl.training.runner import OnStep, watched
from ftrl.training.verl_config import episode_values, mixed_precision, set_all
from ftrl.training.verl_defaults import verl_defaults


class WarmStartActor:
    """Ray actor that holds verl's supervised trainer."""

    def run(self, config: DictConfig, log: Any, place: str) -> None:
        """Train to the end, or from the last checkpoint on."""
        from ftrl.training.supervised import train_supervised

        train_supervised(config, log, place)


def warm_start(
    config: TrainConfig, settings: WarmStartConfig, run: RunFolder, policy: str, environments: str, on_step: OnStep
) -> None:
    """Make, or finish, the warm-started policy.

    Args:
        config: the run.
        settings: of this stage.
        run: the run's folder.
        policy: folder of the model that is taught.
        environments: the store whose golden turns it is shown.
        on_step: told each step.

    Raises:
        FtrlError: there is nothing to show, or the trainer failed; what was finished is kept.
    """
    folder = run.warm_start
    file = folder / "demonstrations.parquet"
    if not file.exists():
        recitals = Recitals(
            environments,
            policy,
            EpisodeSettings.model_validate(episode_values(config)),
            max_model_len=config.optim.max_prompt_tokens + config.optim.max_response_tokens,
            limit=settings.limit,
            sandbox_workers=config.reward.sandbox_workers,
        )
        write_demonstrations(file, recitals)
    with sweeping_segments():
        watched(
            WarmStartActor,
            (supervised_config(config, settings, policy, file, folder / "checkpoints", run.path.name),),
            env_vars={**process_environment(config.hardware), "TENSORBOARD_DIR": str(folder / "tensorboard")},
            resources=trainer_resources(config.hardware),
            step_timeout=config.step_timeout,
            on_step=on_step,
        )
    merge_checkpoint(str(folder / "checkpoints"), str(run.warm_policy))


def supervised_config(
    config: TrainConfig, settings: WarmStartConfig, policy: str, file: Path, checkpoints: Path, name: str
) -> DictConfig:
    """verl's resolved configuration for the warm start."""
    length = config.optim.max_prompt_tokens + config.optim.max_response_tokens
    values: dict[str, Any] = {
        "model.path": policy,
        "model.use_remove_padding": True,
        "model.enable_gradient_checkpointing": True,
        "data.train_files": str(file),
        "data.val_files": None,
        "data.custom_cls.path": "pkg://ftrl.training.sequences",
        "data.custom_cls.name": "SequenceDataset",
        "data.train_batch_size": settings.batch_size,
        "data.max_length": length,
        "data.use_dynamic_bsz": True,
        "data.max_token_len_per_gpu": config.optim.tokens_per_gpu,
        "data.num_workers": 0,
        "optim.lr": settings.learning_rate,
        "optim.lr_scheduler_type": "cosine",
        "trainer.default_local_dir": str(checkpoints),
        "trainer.project_name": "ftrl",
        "trainer.experiment_name": f"{name}-warm-start",
        "trainer.total_epochs": settings.epochs,
        "trainer.total_training_steps": settings.max_steps,
        "trainer.logger": list(config.loggers),
        "trainer.seed": config.seed,
        "trainer.save_freq": settings.save_every,
        "trainer.test_freq": -1,
        "trainer.max_ckpt_to_keep": 2,
        "trainer.resume_mode": "auto",
        "trainer.nnodes": config.hardware.nodes,
        "trainer.n_gpus_per_node": config.hardware.gpus_per_node,
    }
    if config.hardware.device == "cpu":
        values |= {
            "trainer.device": "cpu",
            "trainer.nnodes": 1,
            "trainer.n_gpus_per_node": 1,
            "model.override_config.attn_implementation": "sdpa",
            "model.use_remove_padding": False,
            "model.enable_gradient_checkpointing": False,
            "engine.strategy": "fsdp2",  # FSDP 1 refuses parameters on the CPU
            "engine.use_torch_compile": False,
            "engine.mixed_precision": mixed_precision(config.hardware),
            "engine.dtype": "float32",
        }
    return set_all(copy.deepcopy(verl_defaults("sft_trainer_engine")), values)
