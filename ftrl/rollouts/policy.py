"""Whoever speaks in an episode: an engine, a provider's model, a recorded script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ftrl.errors import FtrlError
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import AssistantTokens, PolicyIdentity, Usage
from ftrl.tool_calls import ParsedResponse


class ContextFull(FtrlError):
    """The prompt leaves no room in the context for a single token; the episode ends here."""


class EngineFault(FtrlError):
    """The engine could not make this turn; the episode is ``infrastructure``, the engine goes on."""


class EngineLost(FtrlError):
    """The engine is gone; its episodes must be played again by another one."""


@dataclass(frozen=True)
class Generation:
    """One assistant turn.

    Attributes:
        text: without end-of-turn marks.
        tokens: what was sampled; ``None`` for a policy without tokens.
        response: the turn taken apart, where the provider itself or the settings' parser names the calls; else every
            profile reads ``text`` with its own parser.
        usage: what the turn took; ``None`` where that is not known.
        context_ended: whether the turn was cut off because the context was full, not by its own limit.
    """

    text: str
    tokens: AssistantTokens | None = None
    response: ParsedResponse | None = None
    usage: Usage | None = None
    context_ended: bool = False


class Conversation(Protocol):
    """One episode, from the policy's side; remembers what was said."""

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        """The next assistant turn after ``messages``, which continue those of the call before.

        Args:
            messages: the conversation so far.
            most_tokens: how long the turn may be; what the settings say if None.

        Raises:
            ContextFull: the messages no longer fit.
            EngineFault: the turn failed through a fault of ours.
            EngineLost: the engine died.
        """
        ...


class Policy(Protocol):
    """Opens conversations."""

    @property
    def identity(self) -> PolicyIdentity:
        """Name and weights."""
        ...

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation in which ``tools`` (OpenAI function schemas) are on offer.

        Args:
            tools: what the model may call.
            settings: of the episode.
            seed: of its sampling, if it is to have one.
        """
        ...


@dataclass
class ScriptedPolicy:
    """Says recorded texts, one a turn: for replaying an episode under other limits, tools or scoring.

    Raises (from ``generate``):
        FtrlError: the script is at its end but the episode goes on.
    """

    texts: Sequence[str]
    identity: PolicyIdentity = field(default_factory=lambda: PolicyIdentity(name="script"))

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """The script from its beginning."""
        return _Script(self.texts)


class _Script:
    def __init__(self, texts: Sequence[str]) -> None:
        self._rest = iter(texts)

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        for text in self._rest:
            return Generation(text)
        raise FtrlError("the script has no further turn, but the episode goes on")
