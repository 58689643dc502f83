"""``ftrl sandbox run``: calls from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.sandbox import app
from ftrl.errors import InputError

ADD = {"add": "def add(a, b):\n    return {'sum': a + b, 'é': 'ü'}"}


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["run", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def results_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_arguments_may_be_an_object_or_the_text_a_model_wrote(tmp_path: Path) -> None:
    calls = write(
        tmp_path / "calls.jsonl",
        [
            {"tools": ADD, "name": "add", "arguments": {"a": 1, "b": 2}},
            {"tools": ADD, "name": "add", "arguments": '{"a": 3, "b": 4}'},
            {"tools": ADD, "name": "add", "arguments": '{"a": 3'},
            {"tools": ADD, "name": "subtract", "arguments": {}},
        ],
    )
    printed = run(calls, "--out", tmp_path / "results.jsonl", "--workers", 1)
    results = results_in(tmp_path / "results.jsonl")
    assert [(line["output"], line["status"]) for line in results] == [
        ('{"sum": 3, "é": "ü"}', "ok"),
        ('{"sum": 7, "é": "ü"}', "ok"),
        ("an error occured when call add: Expecting ',' delimiter: line 1 column 8 (char 7)", "tool_error"),
        ("an error occured when call subtract: 'subtract'", "tool_error"),
    ]
    assert all(line["seconds"] > 0 for line in results)
    assert "4 calls made (2 ok, 2 tool_error)" in printed


def test_timeout_and_namespace_are_options(tmp_path: Path) -> None:
    tools = {"nap": "def nap():\n    sleep(5)", "dump": "def dump():\n    return json.dumps([1])"}
    calls = write(tmp_path / "calls.jsonl", [{"tools": tools, "name": name, "arguments": {}} for name in tools])
    out = tmp_path / "results.jsonl"
    run(calls, "--out", out, "--timeout", 0.5)
    assert [line["status"] for line in results_in(out)] == ["timeout", "ok"]
    printed = run(calls, "--out", out, "--no-legacy-namespace", "--json")
    assert [line["status"] for line in results_in(out)] == ["tool_error", "tool_error"]
    assert json.loads(printed) == {"calls": 2, "statuses": {"tool_error": 2}, "out": str(out)}


def test_many_lines_come_back_in_order(tmp_path: Path) -> None:
    lines = [{"tools": ADD, "name": "add", "arguments": {"a": n, "b": 0}} for n in range(300)]
    run(write(tmp_path / "calls.jsonl", lines), "--out", tmp_path / "out.jsonl", "--workers", 2)
    assert [json.loads(line["output"])["sum"] for line in results_in(tmp_path / "out.jsonl")] == list(range(300))


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        ({"name": "add", "arguments": {}}, "tools", "missing"),
        ({"tools": {"add": None}, "name": "add", "arguments": {}}, "tools", "tool name to Python source"),
        ({"tools": ADD, "name": 3, "arguments": {}}, "name", "must be text"),
        ({"tools": ADD, "name": "add", "arguments": [1]}, "arguments", "an object, or text"),
        ([1], None, "not a JSON object"),
    ],
)
def test_a_bad_line_is_refused_with_file_line_and_field_before_any_call(
    tmp_path: Path, bad: Any, field: str | None, message: str
) -> None:
    good = {"tools": ADD, "name": "add", "arguments": {"a": 1, "b": 2}}
    calls = write(tmp_path / "calls.jsonl", [good, good, bad])
    with pytest.raises(InputError, match=message) as refusal:
        run(calls, "--out", tmp_path / "results.jsonl")
    assert (refusal.value.file, refusal.value.line, refusal.value.field) == (str(calls), 3, field)
    assert [path.name for path in tmp_path.iterdir()] == ["calls.jsonl"]


def test_a_line_that_is_not_json_is_refused(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    calls.write_text('{"tools": {}, "name"\n')
    with pytest.raises(InputError, match="not JSON"):
        run(calls, "--out", tmp_path / "results.jsonl")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path / "none.jsonl", "--out", tmp_path / "results.jsonl")
