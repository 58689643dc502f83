"""A conversation with a model that may call tools, turn by turn, through Inspect's model layer.

What a provider wants to see again in the history - ids of its calls, its own record of its thinking - is kept here
and goes back as Inspect has it for that provider; nothing of it is told to the caller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ftrl.errors import FtrlError
from ftrl.llm.exchanges import Usage
from ftrl.llm.provider import Provider, usage_of

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, ModelOutput
    from inspect_ai.tool import ToolCall, ToolInfo


class ContextExceeded(FtrlError):
    """The conversation no longer fits the model."""


@dataclass(frozen=True)
class AskedCall:
    """A call that a model asks for; its arguments are JSON text, or whatever it wrote instead."""

    name: str
    arguments: str


@dataclass(frozen=True)
class AssistantTurn:
    """What a model said.

    Attributes:
        text: besides the calls, thinking left out.
        calls: in order.
        usage: null where the provider does not tell.
        usd: what it cost; null where no price is known.
        context_ended: whether it was cut off because the context was full.
    """

    text: str
    calls: tuple[AskedCall, ...] = ()
    usage: Usage | None = None
    usd: float | None = None
    context_ended: bool = False


class Dialogue(Protocol):
    """One conversation; remembers what was said."""

    async def turn(self, heard: Sequence[Mapping[str, Any]], most_tokens: int) -> AssistantTurn:
        """The model's next turn.

        Args:
            heard: what was said since its last turn, in OpenAI chat format: a user's message, or the results of all
                its calls, in order. A first turn may come after others that somebody else wrote, as text.
            most_tokens: how long the turn may be.

        Raises:
            ContextExceeded: the conversation no longer fits the model.
            ModelFailure: the model could not be asked; the turn may be asked for again.
        """
        ...


class Dialogues(Protocol):
    """Opens conversations with one model. Belongs to one event loop."""

    def check(self) -> None:
        """See that there is what is needed to ask the model.

        Raises:
            ModelRefused: something is missing here.
        """

    def open(self, tools: Sequence[Mapping[str, Any]], seed: int | None) -> Dialogue:
        """A new conversation in which ``tools`` (OpenAI function schemas) are on offer."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""


class InspectDialogues:
    """Conversations through Inspect's model layer."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def check(self) -> None:
        """See that there is what is needed to ask the model."""
        self._provider.check()

    def open(self, tools: Sequence[Mapping[str, Any]], seed: int | None) -> Dialogue:
        """A new conversation."""
        return _InspectDialogue(self._provider, [_tool_info(tool["function"]) for tool in tools], seed)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._provider.close()


class _InspectDialogue:
    def __init__(self, provider: Provider, tools: list[ToolInfo], seed: int | None) -> None:
        self._provider = provider
        self._tools = tools
        self._seed = provider.settings.seed if seed is None else seed
        self._messages: list[ChatMessage] = []
        self._open_calls: list[ToolCall] = []

    async def turn(self, heard: Sequence[Mapping[str, Any]], most_tokens: int) -> AssistantTurn:
        messages = [*self._messages, *self._as_messages(heard)]
        config = self._provider.config(max_tokens=most_tokens, seed=self._seed)
        output = await self._provider.generate(messages, config, self._tools)
        if output.stop_reason == "model_length":
            raise ContextExceeded(output.completion[:300])
        said = output.message
        self._messages = [*messages, said]
        self._open_calls = said.tool_calls or []
        calls = tuple(AskedCall(call.function, _arguments(call)) for call in self._open_calls)
        return AssistantTurn(said.text, calls, usage_of(output), self._usd(output))

    def _usd(self, output: ModelOutput) -> float | None:
        return self._provider.usd(output)

    def _as_messages(self, heard: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageTool, ChatMessageUser

        messages: list[ChatMessage] = []
        answered = iter(self._open_calls)
        for message in heard:
            if message["role"] == "tool":
                call = next(answered)
                messages.append(
                    ChatMessageTool(content=message["content"], tool_call_id=call.id, function=call.function)
                )
            elif message["role"] == "system":
                messages.append(ChatMessageSystem(content=message["content"]))
            elif message["role"] == "assistant":  # somebody else's turn, in a conversation that begins in the middle
                messages.append(ChatMessageAssistant(content=message["content"]))
            else:
                messages.append(ChatMessageUser(content=message["content"]))
        return messages


def _tool_info(function: Mapping[str, Any]) -> ToolInfo:
    from inspect_ai.tool import ToolInfo, ToolParams

    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return ToolInfo(
        name=function["name"],
        description=function.get("description", ""),
        parameters=ToolParams.model_validate(parameters),
    )


def _arguments(call: ToolCall) -> str:
    if call.parse_error is None:
        return json.dumps(call.arguments, ensure_ascii=False)
    # Inspect keeps what could not be read in the message about it alone.
    return call.parse_error.partition("arguments:")[2].partition("Error details:")[0].strip() or call.parse_error
