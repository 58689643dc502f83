"""Golden turns → token sequences that a policy may be shown before it practises (a warm start).

Each task is played by somebody who recites its golden turns, in the loop that all episodes are played in: so what is
shown has the very form that the policy will meet - template, tools' outputs, marks at the end of a turn - and is
scored like any other episode. What does not earn everything is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ftrl.environments import Environment, EnvironmentStore
from ftrl.environments.columns import environment_from_row
from ftrl.environments.golden import golden_turns
from ftrl.errors import FtrlError
from ftrl.rollouts import EpisodeKey, EpisodeSettings, PolicyIdentity, Trajectory, run_episode
from ftrl.rollouts.episode import ToolRunner
from ftrl.rollouts.prompts import tokenise
from ftrl.rollouts.token_conversation import Sampled, TokenPolicy
from ftrl.sandbox.service import NodeSandbox
from ftrl.training.reading import worked_on
from ftrl.training.segments import TurnTokens, segments

SEQUENCE_COLUMNS = pa.schema({"input_ids": pa.list_(pa.int32()), "loss_mask": pa.list_(pa.int8())})
"""One sequence: its tokens, and 1 for each that is to be learnt."""

TASKS_AT_ONCE = 64


class Recital(TokenPolicy):
    """A policy that knows the turns of one episode by heart.

    Args:
        turns: what it says, a turn each.
        tokenizer: in whose tokens; each turn ends with its end-of-turn token.
        max_model_len: tokens that the conversation may have.
    """

    identity = PolicyIdentity(name="golden turns")

    def __init__(self, turns: Sequence[str], tokenizer: Any, max_model_len: int) -> None:
        self.tokenizer = tokenizer
        self.max_model_len = max_model_len
        self.said: list[TurnTokens] = []
        self._rest = iter(turns)

    async def sample(self, prompt: list[int], limit: int, settings: EpisodeSettings, seed: int | None) -> Sampled:
        """The next turn, whole, or as much of it as ``limit`` lets through."""
        turn = next(self._rest, None)
        if turn is None:
            raise FtrlError("the golden turns are at their end, but the episode goes on")
        ids = (*tokenise(self.tokenizer, turn), self.tokenizer.eos_token_id)
        said, whole = ids[:limit], len(ids) <= limit
        self.said.append(TurnTokens(prompt, said, (0.0,) * len(said)))
        return Sampled(said, (0.0,) * len(said), "stop" if whole else "length")


@dataclass(frozen=True)
class Recitals:
    """What is recited, and how.

    Attributes:
        environments: the store of the tasks.
        model: folder of the policy, for its tokenizer and chat template.
        episode: how episodes are played.
        max_model_len: longer conversations are not shown.
        limit: only the first tasks.
        sandbox_workers: tools at work on each node.
    """

    environments: str
    model: str
    episode: EpisodeSettings
    max_model_len: int
    limit: int | None = None
    sandbox_workers: int | None = None


class Reciter:
    """One Ray Data actor's work: environments in, sequences out."""

    def __init__(self, recitals: Recitals) -> None:
        from transformers import AutoTokenizer

        self._recitals = recitals
        self._store = EnvironmentStore.open(recitals.environments)
        self._tokenizer = AutoTokenizer.from_pretrained(recitals.model)
        self._sandbox: ToolRunner = NodeSandbox(recitals.sandbox_workers)

    async def __call__(self, table: pa.Table) -> Any:
        """A batch of rows of the environment store, as ``SEQUENCE_COLUMNS``."""
        rows = [row for one in table.to_pylist() for row in await self._rows(environment_from_row(one))]
        yield pa.Table.from_pylist(rows, schema=SEQUENCE_COLUMNS)

    async def _rows(self, environment: Environment) -> list[dict[str, Any]]:
        if not environment.trace or environment.answer is None:
            return []
        reciter = Recital(golden_turns(environment), self._tokenizer, self._recitals.max_model_len)
        sources = self._store.sources(environment)
        settings = self._recitals.episode
        played = await run_episode(environment, sources, reciter, self._sandbox, settings, EpisodeKey(run=""))
        if not _perfect(played):
            return []
        return [
            {
                "input_ids": [*segment.prompt, *segment.response],
                "loss_mask": [0] * len(segment.prompt) + segment.mask,
            }
            for segment in segments(reciter.said)
        ]


def _perfect(played: Trajectory) -> bool:
    return played.status.value == "answered" and played.metrics[0].f1 == 1.0


def write_demonstrations(file: Path, recitals: Recitals) -> int:
    """Recite the tasks into a Parquet file; how many sequences it has. It is there whole or not at all.

    Raises:
        FtrlError: none of the tasks has golden turns that fit and earn everything.
    """
    making = file.with_name(f".{file.name}.making")
    making.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with pq.ParquetWriter(making, SEQUENCE_COLUMNS, compression="zstd") as writer:
        parts = EnvironmentStore.open(recitals.environments).parts()
        for table in worked_on(parts, Reciter, (recitals,), at_once=TASKS_AT_ONCE, limit=recitals.limit, in_order=True):
            writer.write_table(table)
            count += len(table)
    if not count:
        making.unlink()
        raise FtrlError(
            f"no task of {recitals.environments} can be demonstrated: they have no golden turns (imported tasks have "
            f"none), or their conversations are longer than {recitals.max_model_len} tokens"
        )
    making.replace(file)
    return count
