"""``ftrl env`` as a user types it."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ftrl.cli import main
from ftrl.environments import SubQuestion, open_tasks
from ftrl.environments.task_view import dependency_tree, task_view

Row = dict[str, Any]
Run = Callable[..., Any]
WriteRows = Callable[[list[Any]], str]


@dataclass
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ftrl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """A function that runs ``ftrl env …`` in the test's folder, with output that is no terminal."""

    def run(*arguments: str) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["ftrl", "env", *arguments])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def file(row: Row, write_rows: WriteRows) -> str:
    return write_rows([{**row, "messages": [{"content": f"Question {n}?", "role": "user"}]} for n in range(3)])


def test_import_then_export_gives_the_same_rows(ftrl: Run, file: str, tmp_path: Path) -> None:
    imported = ftrl("import", file, "--out", "store")
    assert (imported.returncode, imported.stdout) == (0, "3 tasks imported into store\n")
    exported = ftrl("export", "store", "--out", "out.jsonl")
    assert (exported.returncode, exported.stdout) == (0, "3 tasks exported to out.jsonl\n")
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        json.loads(line) for line in Path(file).read_text().splitlines()
    ]


def test_import_refuses_with_exit_code_2_and_one_sentence(ftrl: Run, file: str, tmp_path: Path) -> None:
    with Path(file).open("a") as stream:
        stream.write('{"messages": []}\n')
    refused = ftrl("import", file, "--out", str(tmp_path / "store"))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"ftrl: {file}:4: field 'tools': the field is missing")
    assert refused.stdout == ""
    skipped = ftrl("import", file, "--out", str(tmp_path / "store"), "--skip-bad")
    assert skipped.returncode == 0
    assert "1 bad rows left out" in skipped.stdout
    again = ftrl("import", file, "--out", str(tmp_path / "store"), "--skip-bad")
    assert again.returncode == 2
    assert "already" in again.stderr
    assert ftrl("import", file, "--out", str(tmp_path / "store"), "--skip-bad", "--overwrite").returncode == 0


def test_validate_lists_every_problem_and_ends_with_exit_code_2(ftrl: Run, file: str) -> None:
    sound = ftrl("validate", file)
    assert (sound.returncode, sound.stdout) == (0, "3 rows checked: all are sound\n")
    with Path(file).open("a") as stream:
        stream.write('{oops\n{"solve_rate": "x"}\n')
    bad = ftrl("validate", file)
    assert bad.returncode == 2
    assert len(bad.stdout.splitlines()) == 1 + 8 + 1
    assert f"{file}:5: field 'solve_rate': must be a number, not text" in bad.stdout
    assert bad.stdout.endswith("5 rows checked: 2 are bad\n")
    listed = json.loads(ftrl("validate", file, "--json").stdout)
    assert (listed["rows"], listed["bad_rows"], len(listed["problems"])) == (5, 2, 9)
    assert {problem["line"] for problem in listed["problems"]} == {4, 5}


def test_stats_prints_a_line_a_scenario(ftrl: Run, file: str) -> None:
    printed = ftrl("stats", file)
    assert printed.returncode == 0
    assert [line.split()[:2] for line in printed.stdout.splitlines()[1:3]] == [["single_hop", "3"], ["all", "3"]]
    assert json.loads(ftrl("stats", file, "--json").stdout)["scenarios"]["single_hop"]["tasks"] == 3


def test_show_prints_a_task_whole(ftrl: Run, row: Row, write_rows: WriteRows) -> None:
    long = "[bold]Where[/bold] " + "is it then " * 100 + "?"
    file = write_rows([{**row, "messages": [{"content": long, "role": "user"}]}])
    shown = ftrl("show", file, "0")
    assert shown.returncode == 0
    for text in (long, '"522,250"', "Tool guess   (distractor)", "city: string  A city.", "    return {'Lyon'"):
        assert text in shown.stdout
    as_json = json.loads(ftrl("show", file, "0", "--json").stdout)
    assert as_json["question"] == long
    assert list(as_json["sources"]) == ["find", "guess"]
    assert ftrl("show", file, as_json["id"][:8]).stdout == shown.stdout


def test_show_draws_sub_questions_as_a_tree_and_says_which_answers_an_argument_takes_up() -> None:
    def step(name: str, needs: tuple[str, ...], **arguments: Any) -> SubQuestion:
        return SubQuestion(
            id=name, text=f"{name}?", answer=f"a-{name}", depends_on=needs, tool="find", arguments=arguments
        )

    trace = (
        step("q1", (), city="Lyon"),
        step("q2", ("q1",), city="a-q1"),
        step("q3", ("q1",), city="a-q1", year=7),
        step("q4", ("q2", "q3"), left="a-q2", right="a-q3"),
        step("q5", ()),
    )
    assert dependency_tree(trace) == [
        "q1  q1?",
        '│   find(city="Lyon") → a-q1',
        "├─ q2  q2?",
        '│      find(city="a-q1" ← q1) → a-q2',
        "└─ q3  q3?",
        '   │   find(city="a-q1" ← q1, year=7) → a-q3',
        "   └─ q4  q4?   (after q2, q3)",
        '          find(left="a-q2" ← q2, right="a-q3" ← q3) → a-q4',
        "q5  q5?",
        "    find() → a-q5",
    ]
    circle = (step("q1", ("q2",)), step("q2", ("q1",)))
    assert dependency_tree(circle)[::2] == ["q1  q1?   (after q2)", "q2  q2?   (after q1)"]


def test_show_is_plain_text_where_it_is_piped_and_ruled_on_a_terminal(row: Row, write_rows: WriteRows) -> None:
    tasks = open_tasks(write_rows([row]))
    environment = tasks[0].model_copy(update={"provenance": {"generator": "g", "cost": {"tokens": 5, "seeds": [1, 2]}}})
    pages = {}
    for terminal in (False, True):
        out = Console(file=io.StringIO(), force_terminal=terminal, width=60, soft_wrap=not terminal)
        out.print(task_view(environment, tasks.sources(environment), terminal=terminal))
        pages[terminal] = out.file.getvalue()
    plain, drawn = pages[False], pages[True]
    assert "\x1b" not in plain
    assert "──" not in plain
    assert [line for line in plain.splitlines() if line != line.rstrip()] == []
    assert "\nProvenance\n  generator: g\n  cost:\n    tokens: 5\n    seeds: 1, 2\n" in plain
    assert "Question\x1b[0m" in drawn
    assert "───" in drawn


def test_show_tells_the_parts_of_nested_parameters(row: Row, write_rows: WriteRows) -> None:
    span = {"type": "object", "properties": {"to": {"type": ["integer", "null"], "default": None}}}
    spans = {"type": "array", "items": {**span, "required": ["to"]}, "description": "Years."}
    schema = json.loads(row["tools"])
    schema[0]["function"]["parameters"]["properties"] = {"spans": spans}
    schema[0]["function"]["parameters"]["required"] = []
    tasks = open_tasks(write_rows([{**row, "tools": json.dumps(schema)}]))
    page = str(task_view(tasks[0], {}))
    assert "    spans: array of object, optional  Years.\n      to: integer or null (default null)" in page


def test_unknown_tasks_and_files_end_with_exit_code_2(ftrl: Run, file: str, tmp_path: Path) -> None:
    for arguments in (
        ("show", file, "99"),
        ("show", file, "abc"),
        ("stats", str(tmp_path / "nothing")),
        ("export", str(tmp_path), "--out", "x.jsonl"),
        ("export", file, "--out", str(tmp_path / "x.csv")),
    ):
        ended = ftrl(*arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("ftrl: ")
        assert "Traceback" not in ended.stderr


def test_every_command_shows_an_example(ftrl: Run) -> None:
    for command in ("import", "export", "validate", "stats", "show"):
        assert f"Example: ftrl env {command}" in ftrl(command, "--help").stdout


FULL_DISK = """
set -e
mkdir disk
mount -t tmpfs -o size=120k tmpfs disk || exit 77
ftrl() { "$PYTHON" -c 'from ftrl.cli import main; main()' env "$@" 2>&1 || echo "exit code $?"; }
ftrl import few.jsonl --out disk/store
ftrl import many.jsonl --out disk/store --overwrite
ftrl export many.jsonl --out disk/out.jsonl
ftrl export many.jsonl --out disk/out.parquet
ftrl validate disk/store
(cd disk && find . -type f | wc -l)
"""


def test_a_full_disk_is_told_in_a_sentence_and_what_was_there_stays(row: Row, tmp_path: Path) -> None:
    noise = random.Random(1)
    for name, count in (("few", 10), ("many", 200)):
        rows = [{**row, "messages": [{"content": noise.randbytes(1_000).hex(), "role": "user"}]} for _ in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    command = ["unshare", "--mount", "--map-root-user", "bash", "-c", FULL_DISK]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here to mount a small disk with")
    environment = {**os.environ, "PYTHON": sys.executable}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    if "unshare failed" in ended.stderr or ended.returncode == 77:
        pytest.skip(f"no small disk can be mounted here: {ended.stderr}")
    full = ["ftrl: the disk is full; free some space and run the command again", "exit code 1"]
    assert ended.stdout.splitlines() == [
        "10 tasks imported into disk/store",
        *full * 3,
        "10 rows checked: all are sound",
        "3",
    ]
