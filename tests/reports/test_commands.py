"""``ftrl report`` and ``ftrl view`` as they are typed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog, read_eval_log
from typer.testing import CliRunner

from ftrl.cli import app
from ftrl.errors import InputError
from tests.reports.small_run import HOSTILE


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_report_lies_in_the_run_and_the_command_says_so(copied: Path) -> None:
    result = run("report", str(copied), "--no-tools")
    assert result.exit_code == 0, result.output
    page = copied / "report.html"
    assert f"report: {page}" in result.stdout
    assert page.read_text().startswith("<!doctype html>")


def test_a_second_report_takes_the_place_of_the_first(copied: Path) -> None:
    for _ in range(2):
        assert run("report", str(copied), "--no-tools").exit_code == 0


def test_json_tells_what_was_written_and_what_is_missing(copied: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "training")
    out = tmp_path / "page.html"
    result = run("report", str(copied), "--no-tools", "--out", str(out), "--json")
    told = json.loads(result.stdout)
    assert told["path"] == str(out)
    assert told["size"] == out.stat().st_size
    assert set(told["missing"]) == {"training", "changes"}


def test_a_report_goes_to_s3_and_comes_from_there(copied: Path, bucket: str) -> None:
    import fsspec

    fs = fsspec.filesystem("s3")
    fs.put(str(copied / "evaluation"), f"{bucket}/evaluation", recursive=True)
    fs.put(str(copied / "tasks"), f"{bucket}/tasks", recursive=True)
    result = run("report", bucket, "--no-tools")
    assert result.exit_code == 0, result.output
    assert fs.exists(f"{bucket}/report.html")


def test_a_place_without_a_run_is_refused(tmp_path: Path) -> None:
    result = run("report", str(tmp_path / "nowhere"))
    assert isinstance(result.exception, InputError)
    assert "give the folder that quickstart, train, rollout, eval or synth wrote" in str(result.exception)


# Inspect's logs


@pytest.fixture(scope="module")
def logs(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalLog]:
    folder = tmp_path_factory.mktemp("logs")
    result = run("view", str(small_run), "--export", str(folder))
    assert result.exit_code == 0, result.output
    assert "8 of 8 episodes of before" in result.stdout
    return {log.eval.task: log for log in map(read_eval_log, sorted(map(str, folder.glob("*.eval"))))}


def test_every_set_of_episodes_becomes_a_log(logs: dict[str, EvalLog]) -> None:
    assert set(logs) == {"before", "after", "training, iteration 1"}
    assert all(log.status == "success" and len(log.samples or []) == 8 for log in logs.values())


def test_a_sample_holds_the_calls_what_came_back_and_the_score_with_its_reasons(logs: dict[str, EvalLog]) -> None:
    sample = next(one for one in logs["after"].samples or [] if one.id == "test-0001")
    assert [message.role for message in sample.messages][:3] == ["user", "assistant", "tool"]
    assert sample.scores is not None
    assert set(sample.scores) == {"strict", "reference"}
    assert sample.scores["strict"].as_dict()["F1"] == 1.0
    assert "ticked gold 1 of 2" in str(sample.scores["strict"].explanation)
    assert {event.event for event in sample.events} == {"model", "tool", "score"}
    (tool, *_) = [event for event in sample.events if event.event == "tool"]
    assert tool.result == sample.messages[2].text


def test_means_stand_at_the_head_of_a_log(logs: dict[str, EvalLog]) -> None:
    results = logs["after"].results
    assert results is not None
    means = {score.name: score.metrics["mean"].value for score in results.scores}
    assert means["strict F1"] == pytest.approx(7 / 8)


def test_the_viewer_is_told_not_to_trust_what_was_said(logs: dict[str, EvalLog]) -> None:
    for log in logs.values():
        assert log.eval.viewer is not None
        assert log.eval.viewer.trust_content is False
    assert any(HOSTILE in message.text for sample in logs["before"].samples or [] for message in sample.messages)


def test_a_limit_takes_the_same_tasks_of_every_set(small_run: Path, tmp_path: Path) -> None:
    assert run("view", str(small_run), "--export", str(tmp_path), "--limit", "3").exit_code == 0
    ids = {
        tuple(sorted(str(sample.id) for sample in read_eval_log(str(log)).samples or []))
        for log in tmp_path.glob("*.eval")
    }
    assert len(ids) == 1
    assert len(ids.pop()) == 3


@pytest.mark.slow
def test_the_viewer_serves_the_logs_until_it_is_interrupted(small_run: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ftrl.cli", "view", str(small_run), "--port", str(port), "--no-tools"]
    viewer = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(120):
            time.sleep(0.5)
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                page = answer.read()
                break
    finally:
        os.killpg(viewer.pid, signal.SIGINT)
    said, _ = viewer.communicate(timeout=60)
    assert b"<html" in page
    assert (viewer.returncode, b"8 of 8 episodes of after" in said) == (0, True), said.decode()


def test_a_run_without_episodes_has_nothing_to_view(small_run: Path, tmp_path: Path) -> None:
    result = run("view", str(small_run / "tasks/test"), "--export", str(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "nobody has played" in str(result.exception)
