"""A response that was not scored for a fault of ours: what is left of its group, by verl's own queue and estimator."""

from __future__ import annotations

from typing import Any

import pytest

from ftrl.errors import FtrlError

pytestmark = pytest.mark.e2e

SAMPLES = 4
CONFIG = {
    "model": "models/m",
    "tasks": "stores/t",
    "out": "runs/r",
    "hardware": {"device": "cpu"},
    "optim": {"batch_size": 2, "mini_batch_size": 2, "samples_per_prompt": SAMPLES, "kl_loss": 0},
}


def sampled(trainer: Any, groups: dict[str, list[float | None]]) -> Any:
    """The batch of a step in which the groups' responses earned this; one without a reward was never put."""
    import torch
    import transfer_queue as tq
    from verl.utils.tensordict_utils import list_of_dict_to_tensordict

    rows, keys, tags = [], [], []
    for uid, rewards in groups.items():
        for session, reward in enumerate(rewards):
            if reward is None:
                continue
            response = torch.tensor([7, 8, 9])
            ones = torch.ones(3)
            rows.append(
                {
                    "uid": uid,
                    "session_id": session,
                    "prompts": torch.tensor([1, 2]),
                    "responses": response,
                    "input_ids": torch.tensor([1, 2, 7, 8, 9]),
                    "position_ids": torch.arange(5),
                    "response_mask": torch.ones_like(response),
                    "loss_mask": torch.ones_like(response),
                    "rm_scores": torch.tensor([0.0, 0.0, reward]),
                    "rollout_log_probs": -ones,
                    "old_log_probs": -ones,
                }
            )
            keys.append(f"{uid}_{session}_0")
            tags.append({"status": "success", "prompt_len": 2, "response_len": 3, "seq_len": 5, "global_steps": 1})
    tq.kv_batch_put(keys=keys, partition_id="train", fields=list_of_dict_to_tensordict(rows), tags=tags)
    ends = ["failure" if None in rewards else "finished" for rewards in groups.values()]
    markers = [{"is_prompt": True, "status": end, "global_steps": 1} for end in ends]
    tq.kv_batch_put(keys=list(groups), partition_id="train", tags=markers)
    batch, _ = trainer.replay_buffer.sample(global_steps=1, partition_id="train", batch_size=len(groups))
    return batch


def clear(batch: Any) -> None:
    import transfer_queue as tq

    tq.kv_clear(keys=batch.keys, partition_id=batch.partition_id)


def test_it_has_no_part_in_the_groups_mean_and_what_fills_its_place_has_none_in_the_loss(trainer: Any) -> None:
    import torch
    import transfer_queue as tq

    metrics: dict[str, Any] = {}
    batch = sampled(trainer, {"a": [1.0, 0.0, None, 1.0], "b": [0.0, 1.0, 0.0, 1.0]})
    batch = trainer._balance_batch(batch, metrics)
    assert metrics["ftrl/unscored"] == 1
    batch = trainer._compute_advantage(batch, metrics)
    fields = ["advantages", "response_mask"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
    found = dict(zip(batch.keys, data["advantages"], strict=True))
    three = torch.tensor([1.0, 0.0, 1.0])
    expected = (three - three.mean()) / (three.std() + 1e-6)
    for session, advantage in zip((0, 1, 3), expected, strict=True):
        assert torch.allclose(found[f"a_{session}_0"], advantage.expand(3))
    [pad] = [row for row, key in enumerate(batch.keys) if key.startswith("pad")]
    assert data["response_mask"][pad].sum() == 0
    assert data["advantages"][pad].abs().sum() == 0
    clear(batch)


def test_a_step_that_lost_more_than_by_accident_is_not_trained_on(trainer: Any) -> None:
    batch = sampled(trainer, {"c": [1.0, None, None, None], "d": [0.0, 1.0, 0.0, 1.0]})
    with pytest.raises(FtrlError, match="3 of 8 responses of step 1 were lost"):
        trainer._balance_batch(batch, {})
    clear(batch)


def test_an_undisturbed_step_lost_nothing(trainer: Any) -> None:
    metrics: dict[str, Any] = {}
    clear(trainer._balance_batch(sampled(trainer, {"e": [1.0] * 4, "f": [0.0] * 4}), metrics))
    assert metrics["ftrl/unscored"] == 0
