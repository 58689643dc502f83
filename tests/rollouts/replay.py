"""Playing a stored episode once more, to see that it scores what is stored."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ftrl.environments import Environment
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, Trajectory, run_episode
from ftrl.rollouts.episode import ToolRunner


def scores_the_same(
    trajectory: Trajectory,
    environment: Environment,
    sources: dict[str, str],
    sandbox: ToolRunner,
    tokenizer: Any = None,
) -> bool:
    """Whether its turns, said once more, make the same calls with the same outputs, golds and metrics.

    With the model's tokenizer, the turns are said token by token as they were sampled.
    """
    if tokenizer is None:
        turns = [_text(message) for message in trajectory.messages if message["role"] == "assistant"]
    else:
        turns = [tokenizer.decode(list(turn.token_ids), skip_special_tokens=True) for turn in trajectory.turns]
    settings = EpisodeSettings(max_turns=len(turns))
    played = asyncio.run(
        run_episode(environment, sources, ScriptedPolicy(turns), sandbox, settings, EpisodeKey("again"))
    )
    return _seen(played) == _seen(trajectory)


def _text(message: dict[str, Any]) -> str:
    blocks = [
        f"<tool_call>{json.dumps({'name': name, 'arguments': json.loads(arguments)})}</tool_call>"
        for call in message.get("tool_calls") or ()
        for name, arguments in [(call["function"]["name"], call["function"]["arguments"])]
    ]
    return "\n".join([message["content"] or "", *blocks])


def _seen(trajectory: Trajectory) -> tuple[Any, ...]:
    calls = [call.model_dump(exclude={"seconds"}) for call in trajectory.calls]
    return calls, trajectory.metrics, trajectory.environment_id
