"""The reward inside verl's loop: asynchronous, in verl's reward actors, over a sandbox of their own.

verl calls ``run_single`` as soon as a response is sampled, while others are still being generated. Tools are looked
up in the environment store by the row's environment id; only ids travel with the rows.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from ftrl.environments import Environment, EnvironmentStore
from ftrl.rewards import profile_named, score_parsed
from ftrl.rewards.scoring import parse_response, sandbox_calls
from ftrl.sandbox import Sandbox


class StepRewardManager(RewardManagerBase):  # type: ignore[misc]
    """Scores one response against the golds that were open before it (paper, section 3.2)."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = config.ftrl
        self._metric: str = settings.metric
        self._profile = profile_named(settings.profile)
        self._store = EnvironmentStore.open(settings.environments)
        self._sandbox = Sandbox(workers=settings.sandbox_workers)
        self._tasks: dict[str, tuple[Environment, dict[str, str]]] = {}

    def _task(self, environment_id: str) -> tuple[Environment, dict[str, str]]:
        if environment_id not in self._tasks:
            environment = self._store.get(environment_id)
            self._tasks[environment_id] = (environment, self._store.sources(environment))
        return self._tasks[environment_id]

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Score the last item of ``data``.

        Raises:
            Unscorable: a tool call failed through a fault of ours; verl then drops the whole group.
        """
        item = data[-1:][0]
        row = item.non_tensor_batch
        length = int(row["response_len"])
        text = await asyncio.to_thread(self._decode, item.batch["responses"][:length])
        environment, sources = await asyncio.to_thread(self._task, str(row["environment_id"]))
        parsed = parse_response(text, self._profile)
        results = await self._sandbox.run_async(sandbox_calls(parsed.calls, sources))
        score = score_parsed(
            parsed,
            results,
            json.loads(row["unsolved"]),
            answer=environment.answer,
            solve_rate=float(row["solve_rate"]),
            metric=self._metric,
            profile=self._profile,
        )
        return {
            "reward_score": score.value,
            "reward_extra_info": {
                "score": score.value,
                "calls": score.calls,
                "ticked": len(score.ticked),
                "unparsable": score.unparsable,
                "call_errors": sum(result.status.value != "ok" for result in results),
                "tool_seconds": sum(result.seconds for result in results),
            },
        }

    def _decode(self, response: Any) -> str:
        # As published: special tokens stay in the text; the end marks are taken off by the parser.
        return str(self.tokenizer.decode(response, skip_special_tokens=False))
