"""verl's synchronous trainer, fed by our stream and reporting to our log."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from ftrl.training.stream import PromptStream

POLL_SECONDS = 0.1
"""How often the replay buffer looks for finished groups; verl's 2 s would be the floor of a step."""


class StreamTrainer(PPOTrainerSync):  # type: ignore[misc]
    """GRPO or Reinforce++ on prompts that arrive as a stream.

    Args:
        config: verl's configuration.
        stream: takes the place of verl's data loader, position included.
        total_steps: steps of this iteration.
        log: Ray actor that is told each step's metrics.
    """

    def __init__(self, config: DictConfig, stream: PromptStream, total_steps: int, log: Any) -> None:
        self._stream = stream
        self._total_steps = total_steps
        self._log = log
        super().__init__(config)

    def _build_replay_buffer(self) -> Any:
        buffer = super()._build_replay_buffer()
        buffer.poll_interval = POLL_SECONDS
        return buffer

    def _init_dataloader(self) -> None:
        self.train_dataloader = self._stream
        self.train_dataloader_it = None
        self.val_dataloader = None
        self.total_training_steps = self._total_steps
        self.steps_per_epoch = -(-self._total_steps // self.config.trainer.total_epochs)
        with open_dict(self.config):
            self.config.actor_rollout_ref.actor.optim.total_training_steps = self._total_steps

    def _compute_metrics(
        self, batch: Any, metrics: dict[str, Any], timing_raw: dict[str, float], global_steps: int, epoch: int
    ) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps, epoch)
        metrics.update(_reward_metrics(batch))
        numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float, np.number))}
        self._log.add.remote(global_steps, self.total_training_steps, numbers)


def _reward_metrics(batch: Any) -> dict[str, float]:
    """Means over the step's responses of what the reward manager said, and the share of groups without variance."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields", "uid"])
    infos = [getattr(item, "data", item)["reward_extra_info"] for item in data["extra_fields"]]
    uids = [getattr(item, "data", item) for item in data["uid"]]
    groups: dict[str, list[float]] = defaultdict(list)
    for uid, info in zip(uids, infos, strict=True):
        groups[uid].append(info["score"])
    flat = sum(max(scores) == min(scores) for scores in groups.values())
    means = {f"ftrl/{name}": float(np.mean([info[name] for info in infos])) for name in infos[0]}
    return {**means, "ftrl/groups_without_variance": flat / len(groups)}
