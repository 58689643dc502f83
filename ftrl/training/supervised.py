"""verl's supervised trainer on Ray, reporting to our log. Imported only where verl may be."""

from __future__ import annotations

from functools import partial
from typing import Any

import verl.single_controller.ray as single_controller
from omegaconf import DictConfig, OmegaConf
from verl.trainer import sft_trainer_ray


class SupervisedTrainer(sft_trainer_ray.SFTTrainer):  # type: ignore[misc]
    """verl's trainer, on placement groups whose names we know.

    Args:
        config: verl's configuration for supervised training.
        place: what the names of its placement groups begin with.
    """

    def __init__(self, config: DictConfig, place: str) -> None:
        self._place = place
        super().__init__(config)

    def _build_engine(self) -> None:
        pool = single_controller.RayResourcePool
        single_controller.RayResourcePool = partial(pool, name_prefix=self._place)
        try:
            super()._build_engine()
        finally:
            single_controller.RayResourcePool = pool

    def _build_dataloader(self) -> None:
        super()._build_dataloader()
        # Sequences are there in memory; verl would start eight processes to read them.
        self.train_dataloader = sft_trainer_ray.StatefulDataLoader(
            dataset=self.train_dataset,
            batch_size=self.train_batch_size_per_dp,
            sampler=self.train_sampler,
            collate_fn=self.collate_fn,
            drop_last=True,
        )


def train_supervised(config: DictConfig, log: Any, place: str) -> None:
    """Train to the end, or from the last checkpoint on.

    Args:
        config: verl's configuration for supervised training.
        log: ``StepLog`` that is told each step.
        place: what the names of its placement groups begin with.
    """
    OmegaConf.resolve(config)
    trainer = SupervisedTrainer(config, place)
    total = trainer.total_training_steps

    class Told(sft_trainer_ray.Tracking):  # type: ignore[misc]
        def log(self, data: dict[str, Any], step: int, *more: Any, **named: Any) -> None:
            super().log(data, step, *more, **named)
            numbers = {name: float(value) for name, value in data.items() if isinstance(value, (int, float))}
            log.add.remote(step, total, numbers)

    sft_trainer_ray.Tracking = Told  # in this process there is no other trainer
    trainer.fit()
