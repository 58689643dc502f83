"""``ftrl env audit`` and ``ftrl env import --min-quality`` as a user types them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrl.cli import main
from ftrl.environments import EnvironmentStore, open_tasks
from ftrl.environments.published import Task, write_task

BAD = "def people(city):\n    return '522,250'"


@dataclass
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def ftrl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """A function that runs ``ftrl env …`` in the test's folder, with output that is no terminal."""

    def run(*arguments: str) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["ftrl", "env", *arguments])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def file(make_task: Callable[..., Any], tmp_path: Path) -> str:
    """Three tasks in the published format; the second one pays for anything."""
    rows = [write_task(Task(*task)) for task in (make_task(), make_task(BAD), make_task())]
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_audit_prints_probes_severities_and_the_worst_tasks(ftrl: Run, file: str) -> None:
    ended = ftrl("audit", file, "--workers", "1")
    assert ended.returncode == 0
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert lines[next(i for i, line in enumerate(lines) if line[:1] == ["nonsense_arguments"])][:6] == [
        "nonsense_arguments",
        "severe",
        "1",
        "1",
        "33%",
        "1",
    ]
    assert ["D", "severe", "1", "33.3%"] in lines
    assert ["A", "info", "2", "66.7%"] in lines
    (worst,) = [line for line in lines if line[:1] == ["row"]]
    assert worst[1] == "1"


def test_audit_prints_json_with_every_task_and_writes_lines(ftrl: Run, file: str, tmp_path: Path) -> None:
    printed = json.loads(ftrl("audit", file, "--workers", "1", "--json", "--out", "audit.jsonl").stdout)
    assert printed["report"]["grades"] == {"A": 2, "B": 0, "C": 0, "D": 1}
    assert [task["grade"] for task in printed["tasks"]] == ["A", "D", "A"]
    assert [task["severity"] for task in printed["tasks"]] == ["info", "severe", "info"]
    assert printed["tasks"][1]["findings"][0]["pays"]["reference"] == 1.0
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert lines == printed["tasks"]


def test_a_store_on_s3_is_audited_like_a_file(ftrl: Run, file: str, bucket: str) -> None:
    assert ftrl("import", file, "--out", f"{bucket}/tasks").returncode == 0
    ended = ftrl("audit", f"{bucket}/tasks", "--workers", "1", "--out", f"{bucket}/audit.jsonl")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(open_tasks(f"{bucket}/tasks")) == 3


def test_a_bad_row_and_a_missing_file_end_with_exit_code_2(ftrl: Run, file: str, tmp_path: Path) -> None:
    with Path(file).open("a") as stream:
        stream.write('{"messages": []}\n')
    for arguments in (("audit", file, "--json", "--out", "audit.jsonl"), ("audit", str(tmp_path / "nothing"))):
        ended = ftrl(*arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("ftrl: ")
    assert not (tmp_path / "audit.jsonl").exists()


def test_import_leaves_out_what_is_below_a_grade_and_says_why(ftrl: Run, file: str, tmp_path: Path) -> None:
    ended = ftrl("import", file, "--out", "store", "--min-quality", "b")
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        "2 tasks imported into store",
        "1 tasks below grade B left out; they and the reasons are in store.rejects.jsonl",
    ]
    assert len(EnvironmentStore.open(str(tmp_path / "store"))) == 2
    (reject,) = [json.loads(line) for line in (tmp_path / "store.rejects.jsonl").read_text().splitlines()]
    assert (reject["line"], reject["field"]) == (2, None)
    assert reject["reason"].startswith("the task has grade D, and B is asked for: nonsense_arguments")
    assert json.loads(reject["row"]["codes"]) == {"people": BAD}


def test_bad_rows_and_tasks_below_a_grade_are_counted_apart(ftrl: Run, file: str) -> None:
    with Path(file).open("a") as stream:
        stream.write("{oops\n")
    refused = ftrl("import", file, "--out", "store", "--min-quality", "B")
    assert (refused.returncode, refused.stdout) == (2, "")
    ended = ftrl("import", file, "--out", "store", "--min-quality", "B", "--skip-bad")
    assert [line.partition(" left out")[0] for line in ended.stdout.splitlines()] == [
        "2 tasks imported into store",
        "1 bad rows",
        "1 tasks below grade B",
    ]


def test_no_store_is_written_if_no_task_is_good_enough(
    ftrl: Run, make_task: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text(json.dumps(write_task(Task(*make_task(BAD)))))
    ended = ftrl("import", "bad.jsonl", "--out", "store", "--min-quality", "C")
    assert ended.returncode == 2
    assert "none of the 1 rows is a task that was asked for; see store.rejects.jsonl" in ended.stderr
    assert not (tmp_path / "store").exists()
    assert (tmp_path / "store.rejects.jsonl").exists()


def test_an_unknown_grade_is_refused_before_anything_is_read(ftrl: Run, tmp_path: Path) -> None:
    ended = ftrl("import", str(tmp_path / "nothing.jsonl"), "--out", "store", "--min-quality", "Z")
    assert (ended.returncode, ended.stderr) == (2, "ftrl: there is no grade 'Z'; choose A, B, C, D\n")
