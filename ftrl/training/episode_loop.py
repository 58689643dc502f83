"""Whole episodes inside verl's agent loop: training in trajectories.

The episode is played by the loop that collects and evaluates (``run_episode``): same turns, tools, limits and scores.
Only the engine is another: verl's servers, which have the trainer's newest weights.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput

from ftrl.errors import FtrlError
from ftrl.rewards import TrajectoryMetrics, Unscorable, profile_named, profiles_from
from ftrl.rollouts import (
    EngineFault,
    EpisodeKey,
    EpisodeSettings,
    Metrics,
    PolicyIdentity,
    Trajectory,
    TrajectoryStatus,
    run_episode,
)
from ftrl.rollouts.token_conversation import Sampled, TokenPolicy
from ftrl.sandbox.service import NodeSandbox
from ftrl.training.known_tasks import KnownTasks
from ftrl.training.segments import TurnTokens, laid_on_tokens, segments
from ftrl.training.turn_rewards import TurnLedger

EPISODE_METRICS: Mapping[str, Callable[[Metrics | TrajectoryMetrics], float]] = {
    "solve_f1": lambda of: of.f1,
    "solve_pr": lambda of: of.precision * of.recall,
    "solve_rate": lambda of: of.recall,
    "solve_precision": lambda of: of.precision,
}
"""What an episode earns, by the name of the reward of a single step that it corresponds to."""


class TurnwiseOutput(AgentLoopOutput):  # type: ignore[misc]
    """A sequence of an episode, with a reward on each turn instead of one at the end.

    Attributes:
        token_turns: ``Segment.turns``; ``turns`` to the trainer.
        token_scores: the rewards, one a token of the response; ``rm_scores`` to the trainer.
    """

    token_turns: list[int]
    token_scores: list[float]

    def as_dict(self) -> dict[str, Any]:
        """The fields of the sequence's row."""
        row: dict[str, Any] = super().as_dict()
        row["turns"] = torch.tensor(row.pop("token_turns"), dtype=torch.int64)
        row["rm_scores"] = torch.tensor(row.pop("token_scores"), dtype=torch.float32)
        return row


class EpisodeAgentLoop(AgentLoopBase):  # type: ignore[misc]
    """Play one episode and give the trainer what was said in it, with the reward of the whole."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> list[AgentLoopOutput]:
        """Play the task that the row names.

        Returns:
            One output for each sequence of tokens (``ftrl.training.segments``). Where the episode has the credit, verl
            gives all of them the advantage of the last one.

        Raises:
            Unscorable: a turn or a call failed through a fault of ours; verl then leaves the episode out.
            FtrlError: scored again turn by turn, the episode comes to another reward.
        """
        settings = EpisodeSettings.model_validate(OmegaConf.to_container(self.config.ftrl.episode))
        task = await asyncio.to_thread(_tasks(self.config.ftrl.environments).get, str(row["environment_id"]))
        engine = _VerlPolicy(self.server_manager, self.tokenizer, self.rollout_config.max_model_len, sampling_params)
        ledger = TurnLedger(_sandbox(self.config.ftrl.sandbox_workers), task, settings)
        played = await run_episode(task.environment, task.sources, engine, ledger, settings, EpisodeKey(run="training"))
        if played.status is TrajectoryStatus.INFRASTRUCTURE:
            raise Unscorable(f"task {task.environment.id}: {played.error or 'the episode failed'}")
        profiles = [profile.name for profile in profiles_from(profile_named(settings.profile))]
        figures = episode_figures(played, self.config.ftrl.metric, profiles)
        by_turn = self.config.ftrl.credit == "turn"
        rewards = self._turn_rewards(ledger, engine, figures["score"]) if by_turn else []
        found = segments(engine.turns)
        rows: list[dict[str, Any]] = [
            {
                "prompt_ids": segment.prompt,
                "response_ids": segment.response,
                "response_mask": segment.mask,
                "response_logprobs": segment.logprobs,
                "reward_score": figures["score"],
                "num_turns": len(played.messages),
                "metrics": AgentLoopMetrics(generate_sequences=engine.seconds, tool_calls=figures["tool_seconds"]),
                "extra_fields": {
                    **engine.extra_fields,
                    "reward_extra_info": figures,
                    "turn_scores": rewards,
                    "tool_rewards": [],
                },
            }
            for segment in found
        ]
        if not by_turn:
            return [AgentLoopOutput(**row) for row in rows]
        return [
            TurnwiseOutput(**row, token_turns=segment.turns, token_scores=scores)
            for row, segment, scores in zip(rows, found, laid_on_tokens(rewards, found), strict=True)
        ]

    def _turn_rewards(self, ledger: TurnLedger, engine: _VerlPolicy, earned: float) -> list[float]:
        said = [self.tokenizer.decode(list(turn.sampled), skip_special_tokens=True) for turn in engine.turns]
        rewards = ledger.rewards(said, EPISODE_METRICS[self.config.ftrl.metric])
        if not math.isclose(sum(rewards), earned, abs_tol=1e-9):
            raise FtrlError(f"the episode earned {earned}, and its turns {rewards}, which is not the same")
        return rewards


def episode_figures(played: Trajectory, metric: str, profiles: Sequence[str]) -> dict[str, float]:
    """What the step metrics show of an episode, under the names that single steps have.

    Args:
        played: the episode; no fault of ours.
        metric: a key of ``EPISODE_METRICS``.
        profiles: names of those that it was scored under, in order.
    """
    earned = EPISODE_METRICS[metric]
    golds = [call.gold for call in played.calls if call.gold is not None]
    return {
        "score": earned(played.metrics[0]),
        "calls": len(played.calls),
        "ticked": len(golds),
        "turns": len(played.turns),
        **{f"score_{name}": earned(of) for name, of in zip(profiles, played.metrics, strict=True)},
        "call_errors": sum(call.call_status.value != "ok" for call in played.calls),
        "tool_seconds": sum(call.seconds for call in played.calls),
    }


class _VerlPolicy(TokenPolicy):
    """verl's servers as the policy of one episode; remembers each turn's tokens."""

    identity = PolicyIdentity(name="the policy in training")

    def __init__(self, servers: Any, tokenizer: Any, max_model_len: int, sampling: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.max_model_len = max_model_len
        self.turns: list[TurnTokens] = []
        self.seconds = 0.0
        self.extra_fields: dict[str, Any] = {}
        self._servers = servers
        self._sampling = dict(sampling)
        self._request = uuid.uuid4().hex  # the same for all turns, so that one server gets them and its cache serves

    async def sample(self, prompt: list[int], limit: int, settings: EpisodeSettings, seed: int | None) -> Sampled:
        """One turn; sampled as the trainer wants it, which is as the settings say."""
        began = time.monotonic()
        output = await self._servers.generate(
            request_id=self._request, prompt_ids=prompt, sampling_params={**self._sampling, "max_tokens": limit}
        )
        self.seconds += time.monotonic() - began
        if output.stop_reason == "aborted" or not output.token_ids:
            raise EngineFault("the engine gave this turn up")
        sampled = Sampled(
            token_ids=tuple(output.token_ids),
            logprobs=tuple(output.log_probs or [0.0] * len(output.token_ids)),
            finish_reason="length" if len(output.token_ids) >= limit else "stop",
        )
        # The first version of the weights that spoke is that of the first turn, the last one that of the last turn.
        first = self.extra_fields.get("min_global_steps", output.extra_fields.get("min_global_steps"))
        self.extra_fields = {**output.extra_fields, "min_global_steps": first}
        self.turns.append(TurnTokens(prompt, sampled.token_ids, sampled.logprobs))
        return sampled


@cache
def _tasks(path: str) -> KnownTasks:
    return KnownTasks(path)


@cache
def _sandbox(workers: int | None) -> NodeSandbox:
    """One for all episodes of this process: it bounds what is on its way."""
    return NodeSandbox(workers)
