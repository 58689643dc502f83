"""A server that speaks OpenAI's protocol and answers as it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.http_server import Answer, Asked, HttpServer


def saying(text: str) -> dict[str, Any]:
    """A message of text alone."""
    return {"role": "assistant", "content": text}


def calling(*calls: tuple[str, dict[str, Any]], text: str | None = None) -> dict[str, Any]:
    """A message with calls."""
    made = [
        {"id": f"theirs-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": text, "tool_calls": made}


class ChatServer(HttpServer):
    """``answer`` makes a message of a request, or the status of an error."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], dict[str, Any] | int] = lambda request: saying("Hm.")
        self.requests: list[dict[str, Any]] = []
        super().__init__()

    def reply(self, asked: Asked) -> Answer:
        request = asked.json()
        self.requests.append(request)
        message = self.answer(request)
        if isinstance(message, int):
            return Answer.of({"error": {"message": "no"}}, message)
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "finish_reason": finish, "message": message}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": request["model"]}
        return Answer.of({**body, "choices": [choice], "usage": usage})

    @property
    def url(self) -> str:
        return f"{self.address}/v1"


LEAN, INSPECT = "openai-api/local/scripted", "openai/gpt-4o"
"""A model that is asked directly, and one that is asked through Inspect."""
