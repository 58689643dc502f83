"""What verl would be told, without starting anything."""

from __future__ import annotations

from omegaconf import OmegaConf

from ftrl.training.config import TrainConfig
from ftrl.training.run_folder import RunFolder
from ftrl.training.verl_config import verl_config


def resolved_yaml(config: TrainConfig) -> str:
    """verl's resolved configuration for the first iteration, as YAML."""
    run = RunFolder(config.out)
    composed = verl_config(
        config,
        model=config.model,
        environments=run.environments,
        checkpoints=str(run.checkpoints(1)),
        name=f"{run.path.name}-iteration-1",
    )
    return str(OmegaConf.to_yaml(composed, resolve=True))
