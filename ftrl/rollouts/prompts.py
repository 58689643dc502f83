"""A conversation as the model's own chat template writes it.

Rollouts and training both come here, so that both show the model the same text. Templates differ in what they can
write; a conversation is given to each of them in the shape in which it takes it:

* Thinking stands in the content, or in ``reasoning_content`` where the template asks for that. Whether it stays in the
  history is the template's affair.
* Arguments are objects. What a model wrote instead, if it is not even JSON, stands in the history as ``{}``.
* Ids of calls are nine letters or digits, which the strictest family wants; most templates write none.
* Where a template refuses several calls in one message, each call is a message, followed by its output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftrl.errors import FtrlError, InputError
from ftrl.tool_calls import first_thought

Message = Mapping[str, Any]


class TemplateRefused(FtrlError):
    """The chat template cannot write this conversation."""


def render_prompt(
    tokenizer: Any, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, thinking: bool = False
) -> str:
    """The prompt for the next assistant turn.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        messages: OpenAI chat format; arguments of calls are JSON text, as there.
        tools: OpenAI function schemas.
        thinking: passed on as ``enable_thinking``; templates that don't know it ignore it.

    Raises:
        InputError: the model has no chat template.
        TemplateRefused: the template cannot write this conversation.
    """
    from jinja2 import TemplateError

    offered = list(tools) or None
    apart = "reasoning_content" in _template(tokenizer, offered)

    def rendered(conversation: Sequence[Message]) -> str:
        return str(
            tokenizer.apply_chat_template(
                _shaped(conversation, thinking_apart=apart),
                tools=offered,
                add_generation_prompt=True,
                tokenize=False,
                enable_thinking=thinking,
            )
        )

    try:
        return rendered(messages)
    except (TemplateError, TypeError) as error:  # templates say no, or trip over what they did not expect
        single = list(_one_call_a_message(messages))
        if len(single) == len(messages):
            raise TemplateRefused(f"the model's chat template cannot write this conversation: {error}") from error
    try:
        return rendered(single)
    except (TemplateError, TypeError) as error:
        raise TemplateRefused(f"the model's chat template cannot write this conversation: {error}") from error


def check_tools_are_shown(prompt: str, tools: Sequence[Mapping[str, Any]]) -> None:
    """See that a prompt tells of the tools on offer.

    Raises:
        InputError: the chat template has left them out.
    """
    if tools and not any(str(tool["function"]["name"]) in prompt for tool in tools):
        raise InputError(
            "this model's chat template does not show the model its tools; give the model folder one that does "
            "(chat_template.jinja)"
        )


def tokenise(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a rendered prompt; the template has put in all special tokens already."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _template(tokenizer: Any, tools: Any) -> str:
    try:
        return str(tokenizer.get_chat_template(tools=tools))
    except ValueError as error:
        raise InputError(
            "this model has no chat template; give its folder one that shows tools (chat_template.jinja)",
            file=str(getattr(tokenizer, "name_or_path", "")) or None,
        ) from error


def _shaped(messages: Sequence[Message], *, thinking_apart: bool) -> list[dict[str, Any]]:
    """The messages as templates take them."""
    ids: dict[str, str] = {}
    shaped = []
    for message in messages:
        one = {**message, "content": message.get("content") or ""}
        calls = one.pop("tool_calls", None)
        if calls:
            one["tool_calls"] = [
                {
                    **call,
                    "id": ids.setdefault(call["id"], f"{len(ids):09d}"),
                    "function": {**call["function"], "arguments": _arguments(call["function"]["arguments"])},
                }
                for call in calls
            ]
        if "tool_call_id" in one:
            one["tool_call_id"] = ids.get(one["tool_call_id"], one["tool_call_id"])
        thought = first_thought(one["content"]) if thinking_apart and one["role"] == "assistant" else ""
        if thought:
            one["reasoning_content"] = thought.strip().removeprefix("<think>").removesuffix("</think>").strip("\n")
            one["content"] = one["content"][len(thought) :].lstrip("\n")
        shaped.append(one)
    return shaped


def _arguments(text: str) -> Any:
    # Templates expect objects and print them as JSON; text would come out as a quoted string.
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _one_call_a_message(messages: Sequence[Message]) -> Iterator[Message]:
    """The conversation with each call of a turn in a message of its own, its output behind it."""
    outputs = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
    for message in messages:
        calls = message.get("tool_calls") or ()
        if len(calls) > 1:
            for number, call in enumerate(calls):
                yield {**message, "content": "" if number else message.get("content"), "tool_calls": [call]}
                if call["id"] in outputs:
                    yield outputs.pop(call["id"])
        elif message["role"] != "tool" or message["tool_call_id"] in outputs:
            yield message
