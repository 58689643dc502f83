"""verl's synchronous trainer, fed by our stream and reporting to our log."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.core_algos import register_adv_est
from verl.trainer.ppo.v1.replay_buffer import DAPO_FILTERED_REWARD_COUNTS_KEY
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from ftrl import telemetry
from ftrl.errors import FtrlError
from ftrl.rewards import profile_named, profiles_from
from ftrl.training.stable_metrics import stable_metrics
from ftrl.training.step_metrics import StepMetrics
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream
from ftrl.training.turn_advantages import TurnAdvantages
from ftrl.training.verl_config import GRPO_BY_TURN

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often the replay buffer looks for finished groups; verl's 2 s would be the floor of a step."""

MOST_LOST = 0.05
"""Share of a step's responses that may be missing; more than a mishap, it is a process that is gone for good."""


class StreamTrainer(PPOTrainerSync):  # type: ignore[misc]
    """GRPO or Reinforce++ on prompts that arrive as a stream.

    Args:
        config: verl's configuration.
        stream: takes the place of verl's data loader, position included.
        order: where each step's prompts are noted.
        steps: how many this iteration has.
        log: Ray actor that is told each step's metrics.
        place: what the names of its placement groups begin with.
    """

    def __init__(
        self, config: DictConfig, stream: PromptStream, order: StepMetrics, steps: Steps, log: Any, place: str
    ) -> None:
        self._stream = stream
        self._order = order
        self._prompts: list[list[Any]] = []
        self._steps = steps
        self._log = log
        self._place = place
        if config.algorithm.adv_estimator == GRPO_BY_TURN:
            self._by_turn = register_adv_est(GRPO_BY_TURN)(TurnAdvantages())
        super().__init__(config)

    def _build_replay_buffer(self) -> Any:
        buffer = super()._build_replay_buffer()
        buffer.poll_interval = POLL_SECONDS
        return buffer

    @property
    def total_training_steps(self) -> int:
        """Steps of this iteration, as verl asks for them before each step: whether it is the last."""
        return self._steps.known_at(self.global_steps)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of a pass over the prompts."""
        return max(1, -(-self.total_training_steps // self._steps.optim.epochs))

    def _init_dataloader(self) -> None:
        self.train_dataloader = self._stream
        self.train_dataloader_it = None
        self.val_dataloader = None
        with open_dict(self.config):
            self.config.actor_rollout_ref.actor.optim.total_training_steps = self._steps.bound()

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        manager = self.resource_pool_manager  # a placement group is named after its pool
        manager.resource_pool_spec = {self._place + name: spec for name, spec in manager.resource_pool_spec.items()}
        manager.mapping = {role: self._place + name for role, name in manager.mapping.items()}

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        self._order.rewind(self.global_steps)
        self._log.begin.remote()

    def _fetch_one_gen_batch(self) -> Any:
        batch = super()._fetch_one_gen_batch()
        self._prompts += [[id_, int(step)] for id_, step in zip(batch["trajectory_id"], batch["step"], strict=True)]
        return batch

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        """One step, and a note of its prompts: before its checkpoint, so that none is of a step without."""
        self._prompts.clear()
        batch = super().step(metrics, timing_raw)
        self._order.append(self.global_steps, self.total_training_steps, {"prompts": self._prompts})
        return batch

    def _balance_batch(self, batch: Any, metrics: dict[str, Any], *args: Any, **settings: Any) -> Any:
        # A response that could not be sampled or scored through a fault of ours has no row: it is no part of its group.
        asked = self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n
        lost = asked - len({key.rpartition("_")[0] for key in batch.keys})  # one may have several rows
        if lost > MOST_LOST * asked + 1:
            raise FtrlError(
                f"{lost} of {asked} responses of step {self.global_steps} were lost through a fault of ours"
            )
        metrics["ftrl/unscored"] = lost
        run = self.config.trainer.experiment_name
        telemetry.RESPONSES.add(asked - lost, run=run, status="scored")
        telemetry.RESPONSES.add(lost, run=run, status="lost")
        if lost:
            _log.warning(
                "run %s, step %d: %d of %d responses were lost through faults of ours; the logs of the processes that "
                "sampled and scored them name them",
                run,
                self.global_steps,
                lost,
                asked,
            )
        return super()._balance_batch(batch, metrics, *args, **settings)

    def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
        if self.config.algorithm.adv_estimator == GRPO_BY_TURN:
            # verl tells an estimator neither which rows are one episode nor where its turns are.
            rows = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["turns"])
            self._by_turn.expect(batch.keys, rows["turns"].unbind())
        return super()._compute_advantage(batch, metrics)

    def _compute_metrics(
        self, batch: Any, metrics: dict[str, Any], timing_raw: dict[str, float], global_steps: int, epoch: int
    ) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps, epoch)
        metrics.update(_reward_metrics(batch, metrics.get(DAPO_FILTERED_REWARD_COUNTS_KEY) or {}))
        metrics.update(stable_metrics(metrics))
        numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float, np.number))}
        self._log.add.remote(global_steps, self.total_training_steps, numbers)
        self._tell(batch, metrics, global_steps)

    def _tell(self, batch: Any, metrics: Mapping[str, Any], step: int) -> None:
        run = self.config.trainer.experiment_name
        telemetry.STEP.set(step, run=run)
        telemetry.RESPONSE_TOKENS.add(sum(tag["response_len"] for tag in _responses(batch).values()), run=run)
        for profile in profiles_from(profile_named(self.config.ftrl.profile)):
            telemetry.REWARD.set(metrics[f"ftrl/score_{profile.name}"], run=run, profile=profile.version)


def _responses(batch: Any) -> dict[str, Mapping[str, Any]]:
    """Keys and tags of a step's responses, without what fills it up."""
    return {key: tag for key, tag in zip(batch.keys, batch.tags, strict=True) if not tag.get("is_padding")}


def _reward_metrics(batch: Any, replaced: Mapping[float, int]) -> dict[str, float]:
    """What the step's responses earned, and what groups without variance had of it.

    Args:
        batch: the step's responses.
        replaced: reward → how many groups were replaced since each of their responses earned just that.

    Returns:
        Means over the responses of all that the reward manager said; ``ftrl/score_sampled``, the mean reward of all
        groups that were sampled, those replaced among them; ``ftrl/groups_without_variance``, the share of these.
    """
    data = tq.kv_batch_get(
        keys=list(_responses(batch)), partition_id=batch.partition_id, select_fields=["extra_fields", "uid"]
    )
    infos = [getattr(item, "data", item)["reward_extra_info"] for item in data["extra_fields"]]
    uids = [getattr(item, "data", item) for item in data["uid"]]
    groups: dict[str, list[float]] = defaultdict(list)
    for uid, info in zip(uids, infos, strict=True):
        groups[uid].append(info["score"])
    flat = sum(max(scores) == min(scores) for scores in groups.values()) + sum(replaced.values())
    sampled = len(groups) + sum(replaced.values())
    earned = sum(map(np.mean, groups.values())) + sum(reward * count for reward, count in replaced.items())
    return {
        **{f"ftrl/{name}": float(np.mean([info[name] for info in infos])) for name in infos[0]},
        "ftrl/score_sampled": float(earned / sampled),
        "ftrl/groups_without_variance": flat / sampled,
    }
