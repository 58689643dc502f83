"""Parsers chosen by name: ours, and vLLM's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.models.tiny import train_tokenizer
from ftrl.tool_calls import PARSERS, TurnReader, check_parser, parse_qwen
from ftrl.tool_calls.thinking import aloud, first_thought

pytest.importorskip("vllm")

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "population_of",
            "description": "Looks up.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "year": {"type": "integer"}},
                "required": ["city"],
            },
        },
    }
]
ARGUMENTS = {"city": "Ram", "year": 1900}
JSON_CALL = {"name": "population_of", "arguments": ARGUMENTS}
SPELLINGS = {
    "hermes": f"<tool_call>\n{json.dumps(JSON_CALL)}\n</tool_call>",
    "qwen3_xml": "<tool_call>\n<function=population_of>\n<parameter=city>\nRam\n</parameter>\n<parameter=year>\n1900\n"
    "</parameter>\n</function>\n</tool_call>",
    "pythonic": "[population_of(city='Ram', year=1900)]",
    "llama3_json": json.dumps({"name": "population_of", "parameters": ARGUMENTS}),
    "mistral": f"[TOOL_CALLS][{json.dumps(JSON_CALL)}]",
}
SPELLINGS["qwen3_coder"] = SPELLINGS["qwen3_xml"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    made = train_tokenizer(1024, context=4096)
    made.add_special_tokens({"additional_special_tokens": ["<|python_tag|>", "[TOOL_CALLS]"]})
    return made


def read(name: str, tokenizer: Any, text: str, **more: Any) -> Any:
    return TurnReader(name, tokenizer, TOOLS).read(tokenizer(text, add_special_tokens=False)["input_ids"], **more)


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_vllms_parsers_read_the_calls_of_their_families(tokenizer: Any, name: str) -> None:
    parsed = read(name, tokenizer, SPELLINGS[name])
    assert [(call.name, json.loads(call.arguments)) for call in parsed.calls] == [("population_of", ARGUMENTS)]


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_thinking_stays_in_the_content_and_its_calls_are_none(tokenizer: Any, name: str) -> None:
    thought = f"I could {SPELLINGS[name]}\n</think>\n\n"
    for opened, turn in ((False, f"<think>\n{thought}"), (True, thought)):
        parsed = read(name, tokenizer, turn + SPELLINGS[name], thinking=opened)
        assert len(parsed.calls) == 1
        assert parsed.content.startswith("<think>" if not opened else "I could")
        assert parsed.content.endswith("</think>")


@pytest.mark.parametrize("name", [*PARSERS, *sorted(SPELLINGS)])
def test_a_turn_without_calls_is_its_text(tokenizer: Any, name: str) -> None:
    for text in ("There are 1200.", "There <|im_start|>are 1200.", "There are 1200.<|im_end|>"):
        parsed = read(name, tokenizer, text, ended=True)
        assert (parsed.content, parsed.calls) == ("There are 1200.", ())


def test_the_published_parser_reads_thinking_as_it_always_does(tokenizer: Any) -> None:
    text = f"<think>{SPELLINGS['hermes']}</think>Done."
    assert read("qwen", tokenizer, text) == parse_qwen(text)
    assert len(parse_qwen(text).calls) == 1


def test_a_parser_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no parser 'qwem'; choose qwen, llama31 or one of vLLM's: .*hermes"):
        check_parser("qwem")


def test_a_parser_whose_tokens_the_model_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="the parser 'llama3_json' does not fit this model"):
        TurnReader("llama3_json", train_tokenizer(1024, context=4096), TOOLS)


def test_a_parser_that_only_reads_streams_is_refused(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="'openai' reads only its server's streams"):
        read("openai", tokenizer, "Done.")


def test_what_vllm_cannot_read_is_said_to_nobody(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert read("hermes", tokenizer, "<tool_call>{nothing</tool_call>").calls == ()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("turn", "thought", "said"),
    [
        ("plain", "", "plain"),
        ("<think>a</think>b", "<think>a</think>", "b"),
        ("a</think>\n\nb", "a</think>\n\n", "\n\nb"),
        ("<think>a</think>b<think>c</think>d", "<think>a</think>", "bd"),
        ("b<think>c</think>d", "", "bd"),
        ("<think>cut off", "", ""),
        ("<think>a<think>b</think>c", "", "c"),
    ],
)
def test_what_is_thought_and_what_is_said(turn: str, thought: str, said: str) -> None:
    assert first_thought(turn) == thought
    assert aloud(turn) == said


def test_thinking_that_the_prompt_opened_and_nobody_closed_is_all_there_is() -> None:
    assert aloud("still thinking", opened=True) == ""
    assert aloud("still thinking") == "still thinking"
