"""What an evaluation takes: tokens and dollars, by who speaks, of each episode and of all; and time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ftrl import storage
from ftrl.llm import Spending
from ftrl.rollouts import Conversation, EpisodeSettings, Generation, Policy, PolicyIdentity, Usage

MODEL, USER = "model", "user"
"""Who speaks: the model that is evaluated, and who plays the customers of tau-bench."""

_EPISODE: ContextVar[dict[str, Usage]] = ContextVar("ftrl_episode_usage")
"""Of the episode that is being played, by who speaks. Each episode is a task of its own, and so has its own."""


class Meter:
    """What was taken so far, and whether anything is left.

    Args:
        usd: the most dollars; any number if None.
    """

    def __init__(self, usd: float | None = None) -> None:
        self._spending = Spending(usd=usd)

    @property
    def usd(self) -> float:
        """Dollars taken."""
        return self._spending.spent_usd

    @property
    def is_spent(self) -> bool:
        """Whether no further episode may begin."""
        return self._spending.over is not None

    @contextmanager
    def episode(self) -> Iterator[dict[str, Usage]]:
        """An episode is played in this block, in this task; yields what it took, by who spoke."""
        taken: dict[str, Usage] = {}
        token = _EPISODE.set(taken)
        try:
            yield taken
        finally:
            _EPISODE.reset(token)

    def add(self, usage: Iterable[Usage]) -> None:
        """Count what episodes took.

        Raises:
            FtrlError: there is a budget, and the price is not known.
        """
        for one in usage:
            self._spending.add(None, one.usd)


class Metered:
    """A policy whose turns are counted.

    Args:
        policy: who speaks.
        role: ``MODEL`` or ``USER``.
        meter: where to.
    """

    def __init__(self, policy: Policy, role: str, meter: Meter) -> None:
        self._policy = policy
        self._role = role
        self._meter = meter

    @property
    def identity(self) -> PolicyIdentity:
        """The policy's own."""
        return self._policy.identity

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation."""
        return _MeteredConversation(self._policy.converse(tools, settings, seed), self._role, self._meter)


class _MeteredConversation:
    def __init__(self, conversation: Conversation, role: str, meter: Meter) -> None:
        self._conversation = conversation
        self._role = role
        self._meter = meter

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        generation = await self._conversation.generate(messages, most_tokens)
        usage = generation.usage or Usage(usd=None)
        taken = _EPISODE.get()
        taken[self._role] = taken.get(self._role, Usage()).plus(usage)
        self._meter.add([usage])
        return generation


def seconds_before(out: str) -> float:
    """How long episodes of the evaluation in ``out`` were played by the calls before this one."""
    file = storage.join(out, "results.json")
    if not storage.exists(file):
        return 0.0
    return float(json.loads(storage.read_bytes(file)).get("seconds") or 0.0)


def told(usage: Mapping[str, Usage], seconds: float | None) -> list[str]:
    """What was taken, for people: a line for each who spoke, and one for the time."""
    lines = []
    for role, of in usage.items():
        read = of.input + of.cache_read + of.cache_write
        dollars = f", ${of.usd:.2f}" if of.usd else ""
        lines.append(f"{role} took {read:,} tokens read, {of.output:,} generated{dollars}")
    if seconds is not None:
        lines.append(f"played in {seconds / 60:.1f} minutes")
    return lines


def total(episodes: Iterable[Mapping[str, Usage]]) -> dict[str, Usage]:
    """What episodes took together, by who spoke."""
    sums: dict[str, Usage] = {}
    for taken in episodes:
        for role, usage in taken.items():
            sums[role] = sums.get(role, Usage()).plus(usage)
    return sums
