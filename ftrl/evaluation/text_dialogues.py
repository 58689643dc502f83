"""Conversations through Inspect's model layer that may begin in the middle.

RoTBench's third turn comes after two turns that somebody else wrote, and tau-bench's customers are told the whole
conversation anew each time. Both are text alone, without tools, and so is everything here; conversations with tools
are ``ftrl.llm``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrl.llm import AssistantTurn, ContextExceeded, Dialogue, Dialogues, InspectDialogues, Provider, open_dialogues
from ftrl.llm.chat_completions import PREFIX
from ftrl.llm.provider import usage_of
from ftrl.llm.settings import ModelSettings

CAUSE_CHARACTERS = 300


def dialogues_with(settings: ModelSettings) -> Dialogues:
    """Conversations with any provider's model; those without tools may begin in the middle."""
    # Servers that are asked directly are sent what was said as it is, whoever said it.
    return open_dialogues(settings) if settings.model.startswith(PREFIX) else TextDialogues(Provider(settings))


class TextDialogues:
    """Conversations with one provider's model. Belongs to one event loop."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._with_tools = InspectDialogues(provider)

    def check(self) -> None:
        """See that there is what is needed to ask the model.

        Raises:
            ModelRefused: something is missing here.
        """
        self._provider.check()

    def open(self, tools: Sequence[Mapping[str, Any]], seed: int | None) -> Dialogue:
        """A new conversation."""
        return self._with_tools.open(tools, seed) if tools else _TextDialogue(self._provider, seed)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._provider.close()


class _TextDialogue:
    def __init__(self, provider: Provider, seed: int | None) -> None:
        self._provider = provider
        self._seed = provider.settings.seed if seed is None else seed
        self._messages: list[Any] = []

    async def turn(self, heard: Sequence[Mapping[str, Any]], most_tokens: int) -> AssistantTurn:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

        kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
        messages = [*self._messages, *(kinds[message["role"]](content=message["content"]) for message in heard)]
        output = await self._provider.generate(messages, self._provider.config(max_tokens=most_tokens, seed=self._seed))
        if output.stop_reason == "model_length":
            raise ContextExceeded(output.completion[:CAUSE_CHARACTERS])
        self._messages = [*messages, output.message]
        return AssistantTurn(output.message.text, usage=usage_of(output), usd=self._provider.usd(output))
