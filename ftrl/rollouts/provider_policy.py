"""A policy that speaks through a provider: messages in, the provider's own structured calls out, no tokens.

Thinking is no part of what is recorded. Whether a provider sees its model's thinking again is its own affair
(``ftrl.llm.dialogue``): some must, some must not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrl.llm import ContextExceeded, Dialogue, Dialogues, ModelFailure, ModelRefused
from ftrl.rollouts.policy import ContextFull, Conversation, EngineFault, Generation
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import PolicyIdentity, Usage
from ftrl.tool_calls import ParsedCall, ParsedResponse


class ProviderPolicy:
    """Conversations with a provider's model; thousands of them at a time. Belongs to one event loop.

    Raises (from ``generate``):
        ModelRefused: the provider refuses key, account or model: no episode can be played.
    """

    def __init__(self, dialogues: Dialogues, identity: PolicyIdentity) -> None:
        self.identity = identity
        self._dialogues = dialogues

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation."""
        return _ProviderConversation(self._dialogues.open(tools, seed), settings)


class _ProviderConversation:
    def __init__(self, dialogue: Dialogue, settings: EpisodeSettings) -> None:
        self._dialogue = dialogue
        self._settings = settings
        self._known = 0

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        try:
            turn = await self._dialogue.turn(messages[self._known :], most_tokens or self._settings.max_response_tokens)
        except ContextExceeded as error:
            raise ContextFull(str(error)) from error
        except ModelRefused:
            raise
        except ModelFailure as error:
            raise EngineFault(str(error)) from error
        self._known = len(messages) + 1  # its own turn comes next
        usage = None
        if turn.usage is not None:
            usage = Usage(**turn.usage.model_dump(), usd=turn.usd)
        calls = tuple(ParsedCall(call.name, call.arguments) for call in turn.calls)
        response = ParsedResponse(turn.text, calls)
        return Generation(turn.text, response=response, usage=usage, context_ended=turn.context_ended)
