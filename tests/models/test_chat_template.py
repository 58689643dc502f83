"""The chat template: Qwen's convention, and a longer conversation begins with the text of the shorter one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "author_lookup",
            "description": "Who wrote a book (Bücher too).",
            "parameters": {
                "type": "object",
                "properties": {"book": {"type": "string"}},
                "required": ["book"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "birth_year", "parameters": {"type": "object", "properties": {}}},
    },
]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


def render(tokenizer: Any, messages: list[dict[str, Any]], **more: Any) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, **more))


def call(name: str, arguments: Any, index: int = 0) -> dict[str, Any]:
    return {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_whole_episode_reads_as_qwen_writes_it(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who wrote Zoë, and when was she born?"},
        {
            "role": "assistant",
            "content": "First the author.",
            "tool_calls": [call("author_lookup", '{"book": "Zoë"}'), call("birth_year", {"of": "Zoë"}, 1)],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": "Ana"},
        {"role": "tool", "tool_call_id": "call_1", "content": "1900"},
        {"role": "assistant", "content": "Ana, 1900."},
    ]
    assert render(tokenizer, messages, tools=TOOLS) == (
        "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou can call these functions:\n<tools>\n"
        + json.dumps(TOOLS[0], ensure_ascii=False)
        + "\n"
        + json.dumps(TOOLS[1], ensure_ascii=False)
        + "\n</tools>\n\nWrite each call as:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\nWho wrote Zoë, and when was she born?<|im_end|>\n"
        "<|im_start|>assistant\nFirst the author.\n"
        '<tool_call>\n{"name": "author_lookup", "arguments": {"book": "Zoë"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "birth_year", "arguments": {"of": "Zoë"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nAna\n</tool_response>\n<tool_response>\n1900\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\nAna, 1900.<|im_end|>\n"
    )


def test_without_tools_there_is_no_tools_section_and_no_system_turn_of_its_own(tokenizer: Any) -> None:
    question = {"role": "user", "content": "Hello"}
    asked = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert render(tokenizer, [question], add_generation_prompt=True) == asked
    system = {"role": "system", "content": "Be brief."}
    assert render(tokenizer, [system, question], add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n" + asked
    )


def test_tool_messages_alone_are_the_piece_to_append_to_a_running_episode(tokenizer: Any) -> None:
    messages = [{"role": "tool", "content": "Ana"}, {"role": "tool", "content": "1900"}]
    assert render(tokenizer, messages, add_generation_prompt=True) == (
        "<|im_start|>user\n<tool_response>\nAna\n</tool_response>\n<tool_response>\n1900\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_calls_that_stand_in_the_content_are_not_written_twice(tokenizer: Any) -> None:
    sampled = '<tool_call>{"name":"birth_year","arguments":{}}</tool_call> so'  # not the canonical spacing
    message = {"role": "assistant", "content": sampled, "tool_calls": [call("birth_year", "{}")]}
    assert render(tokenizer, [message]) == f"<|im_start|>assistant\n{sampled}<|im_end|>\n"


def test_a_call_without_text_may_have_no_content(tokenizer: Any) -> None:
    expected = '<|im_start|>assistant\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call><|im_end|>\n'
    for content in ({"content": None}, {"content": ""}, {}):
        message = {"role": "assistant", "tool_calls": [call("f", "{}")], **content}
        assert render(tokenizer, [message]) == expected


def test_content_that_is_not_text_is_refused(tokenizer: Any) -> None:
    from jinja2 import TemplateError

    with pytest.raises(TemplateError, match="must be text"):
        render(tokenizer, [{"role": "user", "content": [{"type": "text", "text": "hi"}]}])


_text = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=20)
_calls = st.lists(
    st.tuples(
        st.sampled_from(["author_lookup", "birth_year"]),
        st.dictionaries(_text, st.one_of(_text, st.integers(), st.none(), st.lists(st.integers()))),
    ),
    max_size=3,
)


def canonical(content: str, calls: list[tuple[str, dict[str, Any]]]) -> str:
    blocks = []
    for name, arguments in calls:
        body = f'{{"name": "{name}", "arguments": {json.dumps(arguments, ensure_ascii=False)}}}'
        blocks.append(f"<tool_call>\n{body}\n</tool_call>")
    return "\n".join([content, *blocks] if content else blocks)


@given(
    system=st.one_of(st.none(), _text),
    tools=st.booleans(),
    turns=st.lists(st.tuples(_text, _calls, st.lists(_text, min_size=1, max_size=3)), min_size=1, max_size=4),
    raw=st.booleans(),
)
@settings(max_examples=150)
def test_a_longer_conversation_begins_with_the_shorter_one_and_what_was_sampled(
    tokenizer: Any, system: str | None, tools: bool, turns: list[Any], raw: bool
) -> None:
    """Whether the message keeps the text of its calls (raw) or holds them apart."""
    more: dict[str, Any] = {"tools": TOOLS} if tools else {}
    messages: list[dict[str, Any]] = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": "Who?"})
    for content, calls, outputs in turns:
        before = render(tokenizer, messages, add_generation_prompt=True, **more)
        sampled = canonical(content, calls)
        message: dict[str, Any] = {"role": "assistant", "content": sampled if raw else content}
        if calls:
            message["tool_calls"] = [call(name, json.dumps(given, ensure_ascii=False)) for name, given in calls]
        messages.append(message)
        assert render(tokenizer, messages, **more) == before + sampled + "<|im_end|>\n"
        role = "tool" if calls else "user"
        messages.extend({"role": role, "content": output} for output in outputs)
        assert render(tokenizer, messages, add_generation_prompt=True, **more).startswith(
            before + sampled + "<|im_end|>\n"
        )
