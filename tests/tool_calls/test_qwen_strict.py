"""What the strict parser reads: what was said aloud, and everything that was meant as a call."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.tool_calls import listen, parse_qwen, parse_qwen_strict

CALL = '<tool_call>{"name": "a", "arguments": {"x": 1}}</tool_call>'
OTHER = '<tool_call>{"name": "b", "arguments": {}}</tool_call>'


def names(text: str) -> list[str]:
    return [call.name for call in parse_qwen_strict(text).calls]


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{CALL}</think>Done.",
        f"<think>{CALL}",
        f"I could call {CALL}</think>Done.",  # the template opened the thinking in the prompt
        f"<tool_call><think>{CALL}</think>",
        f"<tool_response>{CALL}</tool_response>",
        f"<tool_parsed_response>{CALL}",
    ],
)
def test_calls_in_thinking_and_in_made_up_responses_are_never_read(text: str) -> None:
    assert names(text) == []


def test_calls_after_thinking_are_read() -> None:
    assert names(f"<think>{OTHER}</think>\n{CALL}") == ["a"]


def test_text_between_blocks_does_no_harm() -> None:
    assert names(f"First.{CALL}then{OTHER}done") == ["a", "b"]
    assert parse_qwen_strict(f"First.{CALL}then{OTHER}done").content == "First."


def test_a_missing_closing_tag_and_a_doubled_tag_are_forgiven() -> None:
    assert names('<tool_call>{"name": "a", "arguments": {}}') == ["a"]
    assert names('<tool_call>{"name": "a", "arguments": {}}<tool_call>{"name": "b", "arguments": {}}') == ["a", "b"]
    assert names(f"<tool_call>{CALL}") == ["a"]


@pytest.mark.parametrize(
    "block",
    [
        "",
        "{",
        "[]",
        '"a"',
        '{"name": "a"}',
        '{"name": "", "arguments": {}}',
        '{"name": ["a"], "arguments": {}}',
        '{"name": {"n": "a"}, "arguments": {}}',
        '{"name": true, "arguments": {}}',
        '{"name": 7, "arguments": {}}',
        '{"name": "a", "arguments": [1]}',
        '{"name": "a", "arguments": "nothing"}',
        '{"name": "a", "arguments": {}} and more',
        '{"name": "a", "arguments": {"x": ' + "[" * 100_000,
    ],
)
def test_a_block_that_is_no_call_counts_as_unparsed(block: str) -> None:
    parsed = parse_qwen_strict(f"{CALL}<tool_call>{block}</tool_call>")
    assert [call.name for call in parsed.calls] == ["a"]
    assert parsed.unparsed == 1


def test_a_closing_tag_without_a_call_and_a_made_up_response_count_as_unparsed() -> None:
    assert parse_qwen_strict("</tool_call>").unparsed == 1
    assert parse_qwen_strict(f"{CALL}<tool_response>yes</tool_response>").unparsed == 1


def test_what_is_said_aloud_is_everything_but_calls_thinking_and_made_up_responses() -> None:
    text = f"<think>42?</think>So {CALL}<tool_response>43</tool_response> it is 44."
    assert listen(text).prose.split() == ["So", "it", "is", "44."]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "tool_b"]),
            st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3),
        ),
        max_size=4,
    )
)
def test_well_formed_calls_are_read_as_the_published_parser_reads_them(
    calls: list[tuple[str, dict[str, object]]],
) -> None:
    text = "\n".join(
        f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>" for name, arguments in calls
    )
    assert parse_qwen_strict(text) == parse_qwen(text)


@given(
    st.lists(st.sampled_from(["<tool_call>", "</tool_call>", "<think>", "</think>", "<tool_response>", CALL, "{", "x"]))
)
def test_no_text_makes_the_parser_raise_and_pieces_never_hold_tags(parts: list[str]) -> None:
    text = "".join(parts)
    parse_qwen_strict(text)
    assert all("<tool_call>" not in piece.text and "<think>" not in piece.text for piece in listen(text).pieces)
