"""Questions without tools: what counts as an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.evaluate import group
from ftrl.evaluation import General, SuiteResults
from ftrl.evaluation.general import GeneralTask, problems, score_answer
from ftrl.evaluation.stored import open_run
from tests.evaluation.chat_server import LEAN, ChatServer, saying

SUM = GeneralTask("What is 700 + 512?", ("1212",), is_number=True)
OVEN = GeneralTask("Why was it walled in?", ("too large", "it was too large"), is_number=False)


@pytest.mark.parametrize(
    ("task", "text", "strict", "lenient"),
    [
        (SUM, "<answer>1212</answer>", 1, 1),
        (SUM, "That makes <answer> 1,212 </answer>.", 1, 1),
        (SUM, "<answer>1212.0 coins</answer>", 1, 1),
        (SUM, "700 and 512 are 1212.", 0, 1),
        (SUM, "1212? No: <answer>1213</answer>", 0, 0),
        (SUM, "It is 1212, which is more than 1000.", 0, 0),
        (SUM, "<answer>700 + 512 = 1212</answer>", 0, 1),
        (SUM, "<think>1212</think>I don't know.", 0, 0),
        (SUM, "", 0, 0),
        (OVEN, "<answer>It was too large!</answer>", 1, 1),
        (OVEN, "Since it was too large to move.", 0, 1),
        (OVEN, "<answer>too largely built</answer>", 0, 0),
    ],
)
def test_an_answer_counts_as_asked_for_and_at_all(task: GeneralTask, text: str, strict: int, lenient: int) -> None:
    assert score_answer(task, text).metrics == {"strict": strict, "lenient": lenient}


def test_the_questions_are_the_same_each_time_and_each_is_another() -> None:
    assert problems() == problems()
    samples = General().load()
    assert len({sample.id for sample in samples}) == len({s.task.question for s in samples}) == len(samples) == 94


def test_every_first_answer_stands_in_its_text_and_every_sum_is_right() -> None:
    for sample in General().load():
        answer = sample.task.answers[0]
        assert score_answer(sample.task, f"<answer>{answer}</answer>").metrics == {"strict": 1, "lenient": 1}
        if sample.labels["part"] == "reading" and sample.id != "reading/6/1":  # that answer is a choice of two
            assert set(answer.lower().split()) <= set(
                sample.task.question.lower().replace(".", "").replace(",", "").split()
            )
    plain = [problem for problem in problems() if problem.kind == "addition"]
    assert all(eval(p.question[len("What is ") : -1]) == p.answer for p in plain)


def test_the_command_needs_no_data(server: ChatServer, tmp_path: Path) -> None:
    asked = {sample.task.question: sample.task.answers[0] for sample in General().load()}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        question = request["messages"][0]["content"].partition("\n\nGive a short answer")[0]
        return saying(f"<answer>{asked[question]}</answer>")

    server.answer = answer
    out = tmp_path / "out"
    arguments = ["general", "--model", LEAN, "--base-url", server.url, "--out", str(out), "--json"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    results = SuiteResults.model_validate_json(result.stdout)
    assert {part: of["strict"].mean for part, of in results.by_label["part"].items()} == {"arithmetic": 1, "reading": 1}


def test_a_limit_draws_from_everywhere_and_a_larger_one_keeps_what_was_drawn(
    server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda request: saying("<answer>6</answer>")
    arguments = ["general", "--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out")]
    few = CliRunner().invoke(group, [*arguments, "--limit", "12", "--seed", "7"])
    assert few.exit_code == 0, few.output
    assert few.stdout.splitlines()[0] == f"general: {LEAN}, 12 of its 94 tasks"
    results = open_run(str(tmp_path / "out")).results
    assert isinstance(results, SuiteResults)
    assert {part: of["strict"].tasks for part, of in results.by_label["part"].items()}.keys() == {
        "arithmetic",
        "reading",
    }
    assert len({request["seed"] for request in server.requests}) == 12
    server.requests.clear()
    more = CliRunner().invoke(group, [*arguments, "--limit", "20", "--seed", "7"])
    assert more.exit_code == 0, more.output
    assert len(server.requests) == 8


def test_a_job_evaluates_any_suite(server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda request: saying("<answer>6</answer>")
    job = Path(__file__).resolve().parents[2] / "jobs" / "evaluate.py"
    config = tmp_path / "config.json"
    settings = {"suite": "general", "model": LEAN, "provider": {"base_url": server.url}, "limit": 5}
    config.write_text(json.dumps({**settings, "out": str(tmp_path / "out")}))
    command = [sys.executable, str(job), "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert SuiteResults.model_validate_json(done.stdout).metrics["strict"].tasks == 5
    server.answer = lambda request: 400
    config.write_text(json.dumps({**settings, "out": str(tmp_path / "out"), "limit": 6}))
    stopped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert "1 of 6 episodes were not played and are in no figure" in stopped.stderr
    config.write_text(json.dumps({"model": LEAN, "out": str(tmp_path / "out")}))
    nowhere = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    refused = subprocess.run(command, capture_output=True, text=True, check=False, env=nowhere)
    assert (refused.returncode, "`ftrl eval fetch ftrl-test` gets it" in refused.stderr) == (2, True)
