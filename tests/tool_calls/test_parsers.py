"""The parsers read what the published ones read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.tool_calls import PARSERS, ParsedResponse, parse_llama31, parse_qwen, parse_qwen_one_call


def as_published(parsed: ParsedResponse) -> dict[str, Any]:
    calls = [{"name": call.name, "arguments": call.arguments} for call in parsed.calls]
    return {"content": parsed.content, "tool_calls": calls or None}


@pytest.mark.parametrize(
    ("parser", "recorded"),
    [(parse_qwen, "qwen"), (parse_qwen_one_call, "qwen_one_tool_only"), (parse_llama31, "llama31")],
)
def test_all_300_recorded_texts_are_read_as_published(shared: Path, parser: Any, recorded: str) -> None:
    lines = [json.loads(line) for line in (shared / "golden/parser_dev.jsonl").open(encoding="utf-8")]
    assert len(lines) == 300
    differing = [line["id"] for line in lines if as_published(parser(line["text"])) != line[recorded]]
    assert differing == []


def test_calls_come_in_the_order_of_the_text_with_the_text_before_them() -> None:
    first, second = '{"name": "a", "arguments": {"x": "é"}}', '{"name": "b", "arguments": {}}'
    text = f"Let me see.\n<tool_call>{first}</tool_call><tool_call>{second}"
    parsed = parse_qwen(text)
    assert parsed.content == "Let me see."
    assert [(call.name, call.arguments) for call in parsed.calls] == [("a", '{"x": "é"}'), ("b", "{}")]


def test_a_block_that_cannot_be_read_is_dropped_and_counted() -> None:
    parsed = parse_qwen('<tool_call>{"name": </tool_call><tool_call>{"name": "b", "arguments": {}}</tool_call>')
    assert [call.name for call in parsed.calls] == ["b"]
    assert parsed.unparsed == 1


@pytest.mark.parametrize("name", [["a"], {"n": "a"}])
def test_a_name_that_is_a_list_or_object_does_not_parse(name: object) -> None:
    parsed = parse_qwen(f"<tool_call>{json.dumps({'name': name, 'arguments': {}})}</tool_call>")
    assert parsed.calls == ()
    assert parsed.unparsed == 1


def test_arguments_may_be_a_json_string() -> None:
    parsed = parse_qwen('<tool_call>{"name": "a", "arguments": "{\\"x\\": 1}"}</tool_call>')
    assert parsed.calls[0].arguments == '{"x": 1}'


def test_llama_calls_are_read_after_the_tag_and_bare() -> None:
    call = '{"name": "a", "parameters": {"x": 1}}'
    assert parse_llama31(f"Let me.<|python_tag|>{call}").calls == parse_llama31(call).calls
    assert parse_llama31(f"Let me.<|python_tag|>{call}").content == "Let me."


@pytest.mark.parametrize("family", sorted(PARSERS))
@given(text=st.text(alphabet=st.sampled_from(list('<tool_call>/{}":, anmergut[]1\n|py')), max_size=200))
def test_no_text_makes_a_parser_raise(family: str, text: str) -> None:
    assert isinstance(PARSERS[family](text), ParsedResponse)
