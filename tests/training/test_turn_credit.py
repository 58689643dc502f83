"""The credit of turns on its way through verl: agent loop, queue, what fills a step up, advantages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.training.episodes import Rows, episode, torn

pytestmark = pytest.mark.e2e

CONFIG = {
    "model": "models/m",
    "tasks": "stores/t",
    "out": "runs/r",
    "mode": "trajectory",
    "hardware": {"device": "cpu"},
    "optim": {"batch_size": 2, "mini_batch_size": 2, "samples_per_prompt": 3, "kl_loss": 0, "credit": "turn"},
}


def put(uid: str, session: int, rows: Rows) -> None:
    """Hand an episode over as verl's worker does once the agent loop has returned it."""
    from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
    from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ

    from ftrl.training.episode_loop import TurnwiseOutput

    worker = object.__new__(AgentLoopWorkerTQ.__ray_metadata__.modified_class)
    worker.reward_loop_worker_handles, worker.processor, worker.distillation_enabled = None, None, False
    outputs = [
        TurnwiseOutput(
            prompt_ids=segment.prompt,
            response_ids=segment.response,
            response_mask=segment.mask,
            response_logprobs=segment.logprobs,
            reward_score=1.0,
            metrics=AgentLoopMetrics(),
            extra_fields={"reward_extra_info": {"score": 1.0}},
            token_turns=segment.turns,
            token_scores=scores,
        )
        for segment, scores in rows
    ]
    asyncio.run(worker._agent_loop_postprocess(outputs, False, uid=uid, session_id=session, global_steps=1))


def advantages(trainer: Any, groups: dict[str, Sequence[Rows]]) -> dict[str, list[float]]:
    """What verl comes to for a step of these episodes, by its keys; nothing for what was told."""
    import transfer_queue as tq

    for uid, episodes in groups.items():
        for session, rows in enumerate(episodes):
            put(uid, session, rows)
    markers = [{"is_prompt": True, "status": "finished", "global_steps": 1} for _ in groups]
    tq.kv_batch_put(keys=list(groups), partition_id="train", tags=markers)
    batch, _ = trainer.replay_buffer.sample(global_steps=1, partition_id="train", batch_size=len(groups))
    metrics: dict[str, Any] = {}
    batch = trainer._balance_batch(batch, metrics)
    assert len(batch.keys) % 6 == 0  # filled up
    sampled = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["rollout_log_probs"])
    sampled["old_log_probs"] = sampled.pop("rollout_log_probs")  # the policy is still the one that sampled
    tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=sampled)
    batch = trainer._compute_advantage(batch, metrics)
    fields = ["advantages", "response_mask", "rm_scores"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
    tq.kv_clear(keys=batch.keys, partition_id=batch.partition_id)
    found = {}
    for key, values, mask in zip(batch.keys, data["advantages"], data["response_mask"], strict=True):
        assert values[mask == 0].abs().sum() == 0
        found[key] = values[mask == 1].tolist()
    return found


def test_each_turn_learns_from_what_its_group_brought_from_its_number_on(trainer: Any) -> None:
    found = advantages(
        trainer,
        {
            "a": [episode(0.5, 0.25), torn([0.0], [0.25]), episode(-0.25)],  # the second one has two sequences
            "b": [episode(0.5), episode(0.5), episode(0.5)],
        },
    )
    means, scale = (0.25, 0.5 / 3), 0.5
    second = (0.25 - means[1]) / scale
    assert found["a_0_0"] == pytest.approx([1.0, 1.0, second, second], abs=1e-4)
    assert found["a_1_0"] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert found["a_1_1"] == pytest.approx([second, second], abs=1e-4)
    assert found["a_2_0"] == pytest.approx([-1.0, -1.0], abs=1e-4)
    assert all(found[f"b_{session}_0"] == pytest.approx([0.0, 0.0]) for session in range(3))
    pads = [values for key, values in found.items() if key.startswith("pad")]
    assert pads
    assert not any(pads)  # nothing of them is learnt
