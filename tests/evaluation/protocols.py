"""Servers that speak the protocols of closed models' providers, and say what a test wants said.

What is said is the same for all: text, calls, thinking, a refusal. Each server puts it as its provider does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.http_server import Answer, Asked, HttpServer

Json = dict[str, Any]

READ, GENERATED = 100, 10
"""Tokens that every answer takes."""


@dataclass(frozen=True)
class Said:
    """A turn of the model; ``cut`` ends the connection half-way through it, ``refused`` is a turn it won't make."""

    text: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    thinking: str = ""
    refused: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Trouble:
    """An answer that is an error."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class ProviderServer(HttpServer):
    """``answer`` is told how many turns the model has had in a conversation, and says its next.

    Attributes:
        model: a model of the provider's, as ``--model`` takes it.
        key: the variable that its key stands in.
        signature: of a turn's thinking, which the provider wants to see again.
    """

    model: ClassVar[str]
    key: ClassVar[str]
    signature: ClassVar[str] = ""

    def __init__(self) -> None:
        self.answer: Callable[[int], Said | Trouble] = lambda turn: Said("Hm.")
        self.requests: list[Json] = []
        super().__init__()

    def reply(self, asked: Asked) -> Answer:
        request = asked.json()
        self.requests.append(request)
        said = self.answer(self.turns(request))
        if isinstance(said, Trouble):
            return Answer.of(self.error(said.status), said.status, said.headers)
        return Answer.of(self.message(said, request), cut=said.cut)

    @property
    def url(self) -> str:
        """What ``--base-url`` is given."""
        return self.address

    def turns(self, request: Json) -> int:
        return sum(message["role"] == "assistant" for message in request["messages"])

    def message(self, said: Said, request: Json) -> Json:
        raise NotImplementedError

    def error(self, status: int) -> Json:
        raise NotImplementedError


class OpenAI(ProviderServer):
    model, key = "openai/gpt-4o", "OPENAI_API_KEY"

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def message(self, said: Said, request: Json) -> Json:
        message: Json = {"role": "assistant", "content": said.text or None}
        if said.refused:
            message["refusal"] = "I can't help with that."
        if said.thinking:
            message["reasoning_content"] = said.thinking
        if said.calls:
            message["tool_calls"] = [
                {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                for i, (name, arguments) in enumerate(said.calls)
            ]
        choice = {"index": 0, "finish_reason": "tool_calls" if said.calls else "stop", "message": message}
        usage = {"prompt_tokens": READ, "completion_tokens": GENERATED, "total_tokens": READ + GENERATED}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"]}
        return {**body, "choices": [choice], "usage": usage}

    def error(self, status: int) -> Json:
        return {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}


class LeanOpenAI(OpenAI):
    """The same protocol, of which the client is ours and not Inspect's."""

    model = "openai-api/local/scripted"


class Anthropic(ProviderServer):
    model, key = "anthropic/claude-sonnet-4-0", "ANTHROPIC_API_KEY"
    signature = "of-the-thinking"

    def reply(self, asked: Asked) -> Answer:
        if "count_tokens" in asked.path:  # asked of every answer with thinking in it
            return Answer.of({"input_tokens": 5})
        return super().reply(asked)

    def message(self, said: Said, request: Json) -> Json:
        content: list[Json] = []
        if said.thinking:
            content.append({"type": "thinking", "thinking": said.thinking, "signature": self.signature})
        if said.text:
            content.append({"type": "text", "text": said.text})
        content += [
            {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": arguments}
            for i, (name, arguments) in enumerate(said.calls)
        ]
        reason = "refusal" if said.refused else "tool_use" if said.calls else "end_turn"
        body = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": content}
        usage = {"input_tokens": READ, "output_tokens": GENERATED}
        return {**body, "stop_reason": reason, "stop_sequence": None, "usage": usage}

    def error(self, status: int) -> Json:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}


class Google(ProviderServer):
    """Gemini's ``generateContent``."""

    model, key = "google/gemini-2.5-flash", "GOOGLE_API_KEY"
    signature = "c2lnbmF0dXJl"

    def turns(self, request: Json) -> int:
        return sum(content["role"] == "model" for content in request["contents"])

    def message(self, said: Said, request: Json) -> Json:
        usage = {"promptTokenCount": READ, "candidatesTokenCount": GENERATED, "totalTokenCount": READ + GENERATED}
        body: Json = {"usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "r1"}
        if said.refused:
            return {**body, "candidates": [{"finishReason": "SAFETY", "index": 0}]}
        parts: list[Json] = []
        if said.thinking:
            parts.append({"text": said.thinking, "thought": True})
        if said.text:
            parts.append({"text": said.text})
        parts += [{"functionCall": {"name": name, "args": arguments}} for name, arguments in said.calls]
        if said.thinking and said.calls:
            parts[-len(said.calls)]["thoughtSignature"] = self.signature
        content = {"role": "model", "parts": parts}
        return {**body, "candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}

    def error(self, status: int) -> Json:
        name = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}[status]
        return {"error": {"code": status, "message": "no", "status": name}}
