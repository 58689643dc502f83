"""``ftrl reward``: the lines come back with the chosen profile's figures, and the other's beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.reward import app
from ftrl.errors import InputError

MAYOR = "def mayor_find(town=None):\n    return 'Ada Vell'\n"
TOOL = {
    "type": "function",
    "function": {
        "name": "mayor_find",
        "description": "Finds a mayor.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def call(arguments: dict[str, Any]) -> str:
    return f"<tool_call>{json.dumps({'name': 'mayor_find', 'arguments': arguments})}</tool_call>"


@pytest.fixture
def tasks(tmp_path: Path) -> str:
    row = {
        "messages": [{"role": "user", "content": "Who is the mayor of Orun?"}],
        "tools": json.dumps([TOOL]),
        "codes": json.dumps({"mayor_find": MAYOR}),
        "unsolved_set": json.dumps({"mayor_find": ["Ada Vell"]}),
        "solve_rate": 0.0,
        "data_source": "self/single_hop",
        "split": "test",
        "answer": "Ada Vell",
    }
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return str(path)


def run(command: str, tasks: str, lines: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    folder = Path(tasks).parent
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = [
        command,
        tasks,
        str(folder / "in.jsonl"),
        "--out",
        str(folder / "out.jsonl"),
        "--workers",
        "1",
        *options,
    ]
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


RESPONSES = [
    {"task": 0, "response": call({"town": "Orun"}), "mine": "kept"},
    {"task": 0, "response": call({"town": "zqxv"})},
    {"task": 0, "response": f"<think>{call({'town': 'Orun'})}</think>"},
    {"task": 0, "response": call({"town": "Tesk"}), "history": [{"name": "t", "arguments": "{}", "output": "Tesk"}]},
    {"task": 0, "response": "Ada Vell", "unsolved": {"mayor_find": []}, "solve_rate": 1.0},
]


def test_responses_get_both_profiles_figures(tasks: str) -> None:
    lines = run("score", tasks, RESPONSES)
    assert [line["score"] for line in lines] == [1.0, 1.0, 1.0, 1.0, 1.0]
    assert [line["strict"]["score"] for line in lines] == [1.0, 0.0, -0.5, 1.0, 1.0]
    assert (lines[0]["mine"], lines[0]["profile"], lines[0]["strict"]["profile"]) == (
        "kept",
        "reference-2025-08",
        "strict-1",
    )
    assert lines[0]["ticked"] == lines[0]["strict"]["ticked"] == [{"gold": 0, "call": 0}]
    assert lines[0]["calls"] == 1


def test_the_chosen_profile_stands_in_the_line_and_the_other_beside_it(tasks: str) -> None:
    reference = run("score", tasks, RESPONSES)
    strict = run("score", tasks, RESPONSES, "--profile", "strict")
    for one, other in zip(reference, strict, strict=True):
        for figure in ("score", "calls", "ticked", "why", "unparsable", "profile"):
            assert one["strict"][figure] == other[figure]
            assert one[figure] == other["reference"][figure]


@pytest.mark.parametrize("metric", ["solve_f1", "solve_pr", "solve_rate", "solve_precision"])
def test_every_metric_has_a_strict_form(tasks: str, metric: str) -> None:
    line = run(
        "score", tasks, [{"task": 0, "response": call({"town": "Orun"}) + call({"town": "zqxv"})}], "--metric", metric
    )[0]
    assert 0 < line["strict"]["score"] < 1


def test_trajectories_get_both_profiles_figures(tasks: str) -> None:
    turns = [call({"town": "zqxv"}), call({"town": "Orun"}), "Ada Vell"]
    line = run("trajectories", tasks, [{"task": 0, "turns": turns}])[0]
    assert (line["precision"], line["recall"], line["f1"]) == pytest.approx((1 / 2, 1, 2 / 3))
    assert line["strict"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "profile": "strict-1"}
    other = run("trajectories", tasks, [{"task": 0, "turns": turns}], "--profile", "strict")[0]
    assert (other["f1"], other["profile"]) == (line["strict"]["f1"], "strict-1")
    assert other["reference"]["f1"] == line["f1"]
    assert len(other["outputs"]) == 2


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"task": 0, "response": "x", "history": [{"name": "t"}]}, "history.0.arguments"),
        ({"task": 1, "response": "x"}, "task"),
        ({"task": 0, "response": 7}, "response"),
    ],
)
def test_a_broken_line_is_refused_with_file_line_and_field(tasks: str, line: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        run("score", tasks, [{"task": 0, "response": "x"}, line])
    assert (refused.value.line, refused.value.field) == (2, field)
    assert not (Path(tasks).parent / "out.jsonl").exists()
