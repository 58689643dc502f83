"""The reward inside verl's loop: asynchronous, in verl's reward actors, over the sandbox of their node.

verl calls ``run_single`` as soon as a response is sampled, while others are still being generated. Tools are looked
up in the environment store by the row's environment id; only ids travel with the rows.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from ftrl import telemetry
from ftrl.errors import FtrlError
from ftrl.rewards import Context, Earlier, ResponseScoring, profile_named, profiles_from
from ftrl.rewards.arguments import canonical, read_arguments
from ftrl.sandbox import Call
from ftrl.sandbox.results import MOST_PROOFS
from ftrl.sandbox.service import NodeSandbox
from ftrl.training.known_tasks import KnownTasks

_log = logging.getLogger(__name__)


class StepRewardManager(RewardManagerBase):  # type: ignore[misc]
    """Scores one response against the golds that were open before it (paper, section 3.2)."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = config.ftrl
        self._run: str = config.trainer.experiment_name
        self._waiting = 0
        self._metric: str = settings.metric
        self._profiles = profiles_from(profile_named(settings.profile))
        self._tasks = KnownTasks(settings.environments)
        self._sandbox = NodeSandbox(settings.sandbox_workers)
        # The engines are still starting, and the first step's calls would otherwise wait for this.
        sources = itertools.islice(self._tasks.store.all_sources(), MOST_PROOFS)
        threading.Thread(target=self._sandbox.prepare, args=(sources,), daemon=True, name="ftrl-prepare").start()

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Score the last item of ``data``: the reward by the profile that is trained on, the figures by all.

        Raises:
            Unscorable: a tool call failed through a fault of ours; to verl there is no such response then, and the
                group is the others.
        """
        item = data[-1:][0]
        row = item.non_tensor_batch
        self._note(1)
        try:
            return await self._score(item.batch["responses"][: int(row["response_len"])], row)
        except FtrlError as fault:
            _log.warning(
                "run %s, task %s, trajectory %s, step %s, sample %s: the response was not scored through a fault of "
                "ours (%s)",
                *(self._run, row["environment_id"], row["trajectory_id"], row["step"], row["session_id"], fault),
            )
            raise
        finally:
            self._note(-1)

    def _note(self, news: int) -> None:
        self._waiting += news
        telemetry.BEING_SCORED.set(self._waiting, run=self._run)

    async def _score(self, response: Any, row: Mapping[str, Any]) -> dict[str, Any]:
        text = await asyncio.to_thread(self._decode, response)
        task = await asyncio.to_thread(self._tasks.get, str(row["environment_id"]))
        earlier = tuple(Earlier(*call) for call in json.loads(row["history"]))
        scoring = ResponseScoring(
            text,
            json.loads(row["unsolved"]),
            task.sources,
            answer=task.environment.answer,
            solve_rate=float(row["solve_rate"]),
            metric=self._metric,
            profiles=self._profiles,
            context=Context(task.facts, earlier),
        )
        results = await self._sandbox.run_async(scoring.calls)
        scores = scoring.scores(await self._sandbox.run_async(scoring.probes(results)))
        side_by_side = {
            f"{what}_{profile.name}": value
            for profile, score in zip(self._profiles, scores, strict=True)
            for what, value in (("score", score.value), ("ticked", len(score.ticked)))
        }
        return {
            "reward_score": scores[0].value,
            "reward_extra_info": {
                "score": scores[0].value,
                "calls": scores[0].calls,
                "ticked": len(scores[0].ticked),
                "unparsable": scores[0].unparsable,
                "repeated": _repeated(scoring.calls, earlier),
                **side_by_side,
                "call_errors": sum(result.status.value != "ok" for result in results),
                "tool_seconds": sum(result.seconds for result in results),
            },
        }

    def _decode(self, response: Any) -> str:
        # As published: special tokens stay in the text; the end marks are taken off by the parser.
        return str(self.tokenizer.decode(response, skip_special_tokens=False))


def _repeated(calls: Sequence[Call], earlier: Sequence[Earlier]) -> int:
    """How many calls were made before, in an earlier turn or in this one."""
    told = {_key(call) for call in earlier}
    before = len(told)
    told.update(map(_key, calls))
    return len(calls) - (len(told) - before)


def _key(call: Call | Earlier) -> tuple[str, str]:
    return call.name, canonical(read_arguments(call.arguments))
