"""Evaluations of which some episodes could not be played: what is written, what is said, and how they go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ftrl.commands.evaluate import group
from ftrl.environments import EnvironmentStore, Scenario
from ftrl.errors import FtrlError
from ftrl.evaluation import (
    EvalConfig,
    EvalResults,
    SuiteConfig,
    SuiteResults,
    evaluate,
    evaluate_suite,
    incomplete,
    render_table,
)
from ftrl.evaluation.unplayed import listed
from ftrl.rollouts import EngineSettings, ProviderSettings
from tests.evaluation.chat_server import LEAN, ChatServer, saying
from tests.evaluation.test_evaluation import SOURCE, make_environment
from tests.evaluation.test_suite_commands import RIGHT, rotbench_row

DOWN = 10
"""Answers after which the provider is down."""


@pytest.fixture
def many(tmp_path: Path) -> str:
    """Fifty tasks of RoTBench."""
    file = tmp_path / "clean.json"
    file.write_text(json.dumps([rotbench_row(str(number)) for number in range(50)]))
    return str(file)


@pytest.fixture
def tasks(tmp_path: Path) -> str:
    """Three tasks of ours: two of one scenario, one of another."""
    store = str(tmp_path / "tasks")
    with EnvironmentStore.create(store) as writer:
        for number, scenario in enumerate((Scenario.SINGLE_HOP, Scenario.SINGLE_HOP, Scenario.MULTI_HOP)):
            writer.add(make_environment(number, scenario), {"capital_of": SOURCE})
    return store


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, list(arguments))


def written(out: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    return results


def answering(count: int, trouble: int, text: str = RIGHT) -> Callable[[dict[str, Any]], dict[str, Any] | int]:
    """Answers so often, and is in trouble from then on."""
    asked: list[int] = []

    def answer(request: dict[str, Any]) -> dict[str, Any] | int:
        asked.append(1)
        return saying(text) if len(asked) <= count else trouble

    return answer


def except_of(question: str, trouble: int, text: str) -> Callable[[dict[str, Any]], dict[str, Any] | int]:
    """Answers all but one question."""
    return lambda request: trouble if question in json.dumps(request) else saying(text)


# The suites of others


def test_a_provider_that_goes_down_half_way_leaves_figures_that_say_what_is_missing(
    many: str, server: ChatServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    config = SuiteConfig(
        suite="rotbench",
        tasks=many,
        model=LEAN,
        out=str(out),
        provider=ProviderSettings(base_url=server.url, retries=0),
        engine=EngineSettings(episodes_in_flight=1, sandbox_workers=1),
    )
    server.answer = answering(DOWN, 503)
    results = evaluate_suite(config, display=False)
    assert (results.complete, results.episodes, len(results.not_run)) == (False, DOWN, 40)
    assert results.metrics["ftrl_cf"].tasks == DOWN
    assert all("503" in why for why in results.not_run.values())
    assert SuiteResults.model_validate(written(out)) == results
    assert written(out)["complete"] is False
    table = (out / "table.txt").read_text().splitlines()
    assert table[1] == "INCOMPLETE: 40 of 50 episodes were not played and are in no figure"
    told = [line for line in table if line.startswith("not run: ")]
    assert len(told) < 10
    assert "more: not played: 20 attempts in a row could not be played" in "\n".join(told)
    server.answer = lambda request: saying(RIGHT)
    server.requests.clear()
    whole = evaluate_suite(config, display=False)
    assert (whole.complete, whole.episodes, len(server.requests)) == (True, 50, 40)
    assert written(out)["complete"] is True
    assert "INCOMPLETE" not in (out / "table.txt").read_text()
    assert incomplete(whole) is None


def test_a_key_that_is_refused_half_way_ends_the_run_with_the_figures_so_far(
    many: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = answering(DOWN, 401)
    options = ["--model", LEAN, "--base-url", server.url, "--in-flight", "1", "--out", str(tmp_path / "out")]
    result = run("rotbench", many, *options)
    assert isinstance(result.exception, FtrlError)
    assert result.exception.exit_code == 1
    assert "40 of 50 episodes were not played" in str(result.exception)
    assert "INCOMPLETE: 40 of 50" in result.stdout
    assert "401" in result.stdout
    assert len(server.requests) < 20


def test_where_nothing_could_be_played_there_are_no_figures(many: str, server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda request: 401
    result = run("rotbench", many, "--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out"))
    assert isinstance(result.exception, FtrlError)
    assert "401" in str(result.exception)
    assert not (tmp_path / "out" / "results.json").exists()


# Our own


def test_our_own_benchmark_writes_what_was_played_lists_the_rest_and_is_completed_by_the_next_run(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = except_of("Question 1", 400, "Poseidonis.")
    out = tmp_path / "out"
    arguments = ["ftrl-test", tasks, "--model", LEAN, "--base-url", server.url, "--trials", "2", "--out", str(out)]
    result = run(*arguments)
    assert isinstance(result.exception, FtrlError)
    assert result.exception.exit_code == 1
    assert "2 of 6 episodes were not played and are in no figure" in str(result.exception)
    assert result.stdout.splitlines()[1] == "INCOMPLETE: 2 of 6 episodes were not played and are in no figure"
    id_ = make_environment(1, Scenario.SINGLE_HOP).id
    assert f"not run: {id_[:12]}/0, {id_[:12]}/1: openai-api/local/scripted refuses a request: 400" in result.stdout
    results = EvalResults.model_validate(written(out))
    assert (results.complete, results.episodes, list(results.not_run)) == (False, 4, [f"{id_}/0", f"{id_}/1"])
    assert results.overall.tasks == 2
    server.answer = lambda request: saying("Poseidonis.")
    server.requests.clear()
    assert run(*arguments).exit_code == 0
    assert len(server.requests) == 2
    assert (written(out)["complete"], written(out)["not_run"]) == (True, {})
    assert (out / "table.txt").read_text() == run(*arguments).stdout


def test_reasons_that_are_all_different_do_not_fill_the_screen() -> None:
    told = listed({f"task-{number}/0": f"request {number} failed" for number in range(90)})
    assert told[0] == "not run: task-0/0: request 0 failed"
    assert told[5:] == ["not run: 85 more, for 85 more reasons; results.json has them under not_run"]


def test_our_own_benchmark_within_a_budget_says_what_it_was_not_enough_for(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda request: saying("Poseidonis.")
    config = EvalConfig(
        tasks=tasks,
        model=LEAN,
        out=str(tmp_path / "out"),
        # One answer takes 100 tokens at $1 and 10 at $10 a million.
        provider=ProviderSettings(base_url=server.url, price_input=1.0, price_output=10.0),
        engine=EngineSettings(episodes_in_flight=1, sandbox_workers=1),
        budget_usd=0.0003,
    )
    results = evaluate(config, display=False)
    assert (results.episodes, len(results.not_run)) == (2, 1)
    assert results.usage["model"].model_dump(include={"input", "output", "usd"}) == {
        "input": 200,
        "output": 20,
        "usd": pytest.approx(0.0004),
    }
    first = results.seconds
    assert str(incomplete(results)).startswith("the budget is spent, and 1 of 3 episodes were not played")
    more = config.model_copy(update={"budget_usd": 1.0})
    whole = evaluate(more, display=False)
    assert whole.complete
    assert whole.seconds is not None
    assert first is not None
    assert whole.seconds > first > 0
    assert "\nmodel took 300 tokens read, 30 generated, $0.00\nplayed in " in render_table(whole)


def test_our_own_benchmark_has_no_figures_where_nothing_could_be_played(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda request: 400
    result = run("ftrl-test", tasks, "--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out"))
    assert isinstance(result.exception, FtrlError)
    assert "3 of 3 episodes could not be played" in str(result.exception)
    assert not (tmp_path / "out" / "results.json").exists()


# What is made of them


def test_comparisons_and_the_table_say_that_a_run_is_incomplete(tasks: str, server: ChatServer, tmp_path: Path) -> None:
    half, whole = str(tmp_path / "half"), str(tmp_path / "whole")
    options = ("--model", LEAN, "--base-url", server.url, "--out")
    server.answer = except_of("Question 1", 400, "Poseidonis.")
    run("ftrl-test", tasks, *options, half)
    server.answer = lambda request: saying("Poseidonis.")
    assert run("ftrl-test", tasks, *options, whole).exit_code == 0
    told = "1 of 3 episodes were not played and are in no figure"
    assert f"A is INCOMPLETE: {told}\n" in run("compare", half, whole).stdout
    assert "B is INCOMPLETE" not in run("compare", half, whole).stdout
    assert json.loads(run("compare", half, whole, "--json").stdout)["not_run"] == {"A": 1, "B": 0}
    for form in ("text", "csv", "latex", "html"):
        shown = run("table", half, "--format", form)
        assert "this run, incomplete" in shown.stdout
        assert f"{half}: {told}" in shown.stderr
        assert "incomplete" not in run("table", whole, "--format", form).output


def test_the_table_says_which_models_were_given_a_part_of_the_tasks(
    many: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = lambda request: saying(RIGHT)
    out = str(tmp_path / "part")
    played = run("rotbench", many, "--model", LEAN, "--base-url", server.url, "--limit", "2", "--out", out)
    assert played.exit_code == 0, played.output
    assert played.stdout.splitlines()[0] == f"rotbench: {LEAN}, 2 of its 50 tasks"
    for form in ("text", "csv", "latex", "html"):
        shown = run("table", out, "--format", form)
        assert "this run, in part" in shown.stdout
        assert f"{out}: 2 of its 50 tasks" in shown.stderr
