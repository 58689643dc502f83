"""A conversation as the model's own chat template writes it.

Rollouts and training both come here, so that both show the model the same text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def render_prompt(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    *,
    thinking: bool = False,
) -> str:
    """The prompt for the next assistant turn.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        messages: OpenAI chat format; arguments of calls are JSON text, as there.
        tools: OpenAI function schemas.
        thinking: passed on as ``enable_thinking``; templates that don't know it ignore it.
    """
    return str(
        tokenizer.apply_chat_template(
            [_with_parsed_arguments(message) for message in messages],
            tools=list(tools) or None,
            add_generation_prompt=True,
            tokenize=False,
            enable_thinking=thinking,
        )
    )


def tokenise(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a rendered prompt; the template has put in all special tokens already."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _with_parsed_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    # Templates expect arguments as objects and print them as JSON; text would come out as a quoted string.
    if not message.get("tool_calls"):
        return dict(message)
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}
