"""The published format: what is a sound row, and what is said about one that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrl.environments.published import BadRow, read_task, write_task

Row = dict[str, Any]


def problems(row: Any) -> list[tuple[str | None, str]]:
    """What is wrong with a row: (field, message)."""
    try:
        read_task(row)
    except BadRow as error:
        return [(problem.field, problem.message) for problem in error.problems]
    return []


def changed(row: Row, field: str, change: Any) -> Row:
    """The row with one field changed; where it holds JSON text, ``change`` gets the value and returns another."""
    if field in ("tools", "codes", "unsolved_set"):
        return {**row, field: json.dumps(change(json.loads(row[field])))}
    return {**row, field: change(row[field])}


def test_a_sound_row_becomes_an_environment(row: Row) -> None:
    task = read_task(row)
    environment = task.environment
    assert environment.question == "How many people live in Lyon?"
    assert environment.scenario.value == "single_hop"
    assert environment.unsolved() == {"find": ["522,250"]}
    assert [tool["function"]["name"] for tool in environment.tools] == ["find", "guess"]
    assert (environment.answer, environment.split, environment.data_source) == (
        "522,250",
        "train",
        "self/single_hop",
    )
    assert task.sources == json.loads(row["codes"])
    assert environment.trace == ()


def test_writing_gives_the_row_back_with_every_key_in_its_place(row: Row) -> None:
    row = changed(row, "unsolved_set", lambda _: {"guess": ["b", "b"], "find": ["é", "a"]})
    row = changed(row, "codes", lambda codes: dict(reversed(codes.items())))
    row = changed(row, "tools", lambda tools: [{**tools[0], "x": [1, 1.0, -0.0, 10**30, 1e300]}, tools[1]])
    written = write_task(read_task(row))
    assert list(written) == list(row)
    for field in ("tools", "codes", "unsolved_set"):
        assert repr(json.loads(written[field])) == repr(json.loads(row[field]))
    assert {**row, **{f: written[f] for f in ("tools", "codes", "unsolved_set")}} == written
    assert "é" in written["unsolved_set"]


def test_an_answer_may_be_null(row: Row) -> None:
    task = read_task({**row, "answer": None})
    assert task.environment.answer is None
    assert write_task(task)["answer"] is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"messages": [', "not JSON: Expecting value at character 15"),
        (b'{"answer": "\xff"}', "not UTF-8 text (byte 13)"),
        (b'{"solve_rate": NaN}', "NaN is not a number that JSON knows"),
        (b'{"split": "a", "split": "b"}', "the key 'split' stands twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_refused(line: bytes, message: str) -> None:
    [(field, said)] = problems(line)
    assert field is None
    assert message in said


@pytest.mark.parametrize(
    "field", ["messages", "tools", "codes", "unsolved_set", "solve_rate", "data_source", "split", "answer"]
)
def test_a_missing_field_is_named(row: Row, field: str) -> None:
    del row[field]
    assert (field, "the field is missing") in problems(row)


def test_an_unknown_field_is_refused_rather_than_lost(row: Row) -> None:
    [(field, said)] = problems({**row, "difficulty": 3})
    assert field == "difficulty"
    assert "no such field" in said


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("messages", "hello", "must be a list, not text"),
        ("tools", [], "must be JSON text, not a list"),
        ("codes", {}, "must be JSON text, not an object"),
        ("unsolved_set", None, "must be JSON text, not null"),
        ("solve_rate", "0", "must be a number, not text"),
        ("solve_rate", True, "must be a number, not true or false"),
        ("split", 3, "must be text, not a number"),
        ("answer", 42, "must be text or null, not a number"),
        ("tools", "[{]", "the text is not JSON"),
        ("codes", '{"find": "a", "find": "b"}', "the key 'find' stands twice"),
        ("unsolved_set", '{"find": ["a"], "find": ["b"]}', "the key 'find' stands twice"),
        ("tools", "{}", "must hold a list of function schemas"),
        ("tools", '["find"]', "must hold a list of function schemas"),
        ("codes", "[]", "must hold an object, tool to Python source, not a list"),
        ("unsolved_set", "[]", "must hold an object, tool to list of golds, not a list"),
        ("unsolved_set", '{"find": "522,250"}', "the golds of 'find' must be a list, not text"),
        ("unsolved_set", '{"find": [522]}', "a gold of 'find' must be text, not a number"),
        ("unsolved_set", '{"find": [""]}', "a gold of 'find' is empty"),
        ("unsolved_set", '{"find": [" "]}', "a gold of 'find' is empty"),
        ("unsolved_set", "{}", "there is no gold"),
        ("unsolved_set", '{"search": ["1"]}', "there are golds for 'search', but no such tool"),
        ("data_source", "tau-bench/airline", "'tau-bench/airline' names no scenario"),
        ("data_source", "multi_hop", "names no scenario; known are self/single_hop, self/parallel_single_hop"),
        ("messages", [], "there is no message"),
        ("messages", [{"role": "system", "content": "x"}], "must come from the user, not from 'system'"),
        ("messages", [{"role": "user", "content": ["x"]}], "the content must be text, not a list"),
        ("messages", [{"role": "user"}], 'must have "role" and "content"'),
        ("messages", [{"role": "user", "content": "\n"}], "the question is empty"),
        ("messages", [{"role": "user", "content": "a\0b"}], "there is a NUL character (at character 2"),
        ("answer", "caf\udce9", "there is a lone surrogate, U+DCE9"),
        ("unsolved_set", '{"find": ["\\ud83d"]}', "there is a lone surrogate, U+D83D"),
        ("tools", '[{"a\\u0000": 1}]', "there is a NUL character"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named_with_its_field(row: Row, field: str, value: Any, message: str) -> None:
    found = problems({**row, field: value})
    assert [said for named, said in found if named == field and message in said], found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tool: {"name": "find"}, "tool 1 is not a function schema"),
        (lambda tool: {**tool, "type": "retrieval"}, "tool 1 is not a function schema"),
        (lambda tool: {**tool, "function": {}}, "tool 1 has no name"),
        (lambda tool: {**tool, "function": {**tool["function"], "name": "a-b"}}, "but 'a-b'"),
        (lambda tool: {**tool, "function": {**tool["function"], "description": 1}}, "description of tool 1"),
        (lambda tool: {**tool, "function": {"name": "find"}}, "parameters of tool 1 ('find')"),
        (lambda tool: {**tool, "function": {"name": "find", "parameters": {"type": "array"}}}, "parameters of"),
        (lambda tool: {**tool, "function": {"name": "find", "parameters": {"properties": []}}}, "properties of"),
        (lambda tool: {**tool, "function": {"name": "find", "parameters": {"required": "x"}}}, "required param"),
        (lambda tool: {**tool, "function": {"name": "find", "parameters": {"required": ["x"]}}}, "requires 'x'"),
        (lambda tool: {**tool, "function": {**tool["function"], "name": "guess"}}, "'guess' stands twice"),
    ],
)
def test_a_tool_that_is_no_function_schema_is_refused(row: Row, change: Any, message: str) -> None:
    found = problems(changed(row, "tools", lambda tools: [change(tools[0]), tools[1]]))
    assert [said for field, said in found if field == "tools" and message in said], found


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def find(city:\n    pass", "the code of 'find' does not compile with Python 3"),
        ("x = '\0'", "there is a NUL character"),
        ("x = " + "(" * 5_000, "does not compile"),
        ("def search(city):\n    pass", "does not define a function 'find'"),
        ("class A:\n    def find(self): pass", "does not define a function 'find'"),
        ("def outer():\n    def find(city): pass", "does not define a function 'find'"),
        (7, "the code of 'find' must be text, not a number"),
    ],
)
def test_code_that_cannot_be_the_tool_is_refused(row: Row, code: Any, message: str) -> None:
    found = problems(changed(row, "codes", lambda codes: {**codes, "find": code}))
    assert [said for field, said in found if field == "codes" and message in said], found


@pytest.mark.parametrize(
    "code",
    [
        "import os\ndef find(city):\n    return '\\d'",
        "find = lambda city: city",
        "try:\n    import numpy\nexcept ImportError:\n    def find(city): pass",
        "if True:\n    find: object = print",
        "from math import sqrt as find",
    ],
)
def test_code_may_define_the_tool_in_any_way_that_python_has(row: Row, code: str) -> None:
    assert problems(changed(row, "codes", lambda codes: {**codes, "find": code})) == []


def test_tools_and_code_must_belong_to_each_other(row: Row) -> None:
    without = changed(row, "codes", lambda codes: {"guess": codes["guess"], "search": "def search(): pass"})
    assert problems(without) == [
        ("codes", "the tool 'find' has no code"),
        ("codes", "there is code for 'search', but no such tool"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "sign"),
    [
        ("messages", [{"content": "?", "role": "user"}] * 3, "there are 3 messages where a task has one"),
        ("solve_rate", 0.5, "it is 0.5, so golds are solved already"),
        ("unsolved_set", '{"find": [], "guess": ["1"]}', "no gold is left for 'find'"),
    ],
)
def test_a_step_of_a_conversation_is_no_task(row: Row, field: str, value: Any, sign: str) -> None:
    named, said = problems({**row, field: value})[0]
    assert named == field
    assert said.startswith("this is a step of a recorded conversation, not a fresh task")
    assert sign in said


def test_every_problem_of_a_row_is_told(row: Row) -> None:
    del row["split"]
    found = problems({**row, "tools": "[", "solve_rate": None, "data_source": "self/hop"})
    assert {field for field, _ in found} == {"split", "tools", "solve_rate", "data_source"}
