"""Scores of a benchmark run, read off stored trajectories."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.evaluate import group
from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, source_id
from ftrl.errors import InputError
from ftrl.evaluation import EvalConfig, EvalResults, evaluate, render_table, summarize
from ftrl.models import init_tiny, weights_hash
from ftrl.rollouts import (
    Collection,
    EpisodeKey,
    EpisodeSettings,
    Metrics,
    PolicyIdentity,
    ScriptedPolicy,
    TrajectoryStore,
    run_episode,
)
from ftrl.sandbox import Sandbox

SOURCE = "def capital_of(country):\n    return {'Atlantis': 'Poseidonis'}[country]\n"
RIGHT = '<tool_call>{"name": "capital_of", "arguments": {"country": "Atlantis"}}</tool_call>'
WRONG = '<tool_call>{"name": "capital_of", "arguments": {"country": "Nowhere"}}</tool_call>'


def make_environment(number: int, scenario: Scenario) -> Environment:
    parameters = {"type": "object", "properties": {"country": {"type": "string"}}, "required": ["country"]}
    function = {"name": "capital_of", "description": "A capital.", "parameters": parameters}
    return Environment(
        scenario=scenario,
        question=f"Question {number}: what is the capital of Atlantis?",
        answer="Poseidonis",
        tools=({"type": "function", "function": function},),
        implementations={"capital_of": source_id(SOURCE)},
        golds=(Gold(tool="capital_of", value="Poseidonis"),),
    )


SCRIPTS = {
    (0, 0): [RIGHT, "Poseidonis."],
    (0, 1): ["I do not know."],
    (1, 0): [WRONG, RIGHT, "Poseidonis."],
    (1, 1): [WRONG, RIGHT, "Poseidonis."],
    (2, 0): [RIGHT, "Poseidonis."],
    (2, 1): [RIGHT, "Poseidonis."],
}
"""Two trials of three tasks: two of one scenario, one of another."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


@pytest.fixture
def config(tmp_path: Path, sandbox: Sandbox) -> EvalConfig:
    """An evaluation whose episodes were all played before: no engine has to start."""
    model = tmp_path / "model"
    init_tiny(model)
    scenarios = [Scenario.SINGLE_HOP, Scenario.SINGLE_HOP, Scenario.MULTI_HOP]
    environments = [make_environment(number, scenario) for number, scenario in enumerate(scenarios)]
    with EnvironmentStore.create(str(tmp_path / "tasks")) as writer:
        for environment in environments:
            writer.add(environment, {"capital_of": SOURCE})
    config = EvalConfig(tasks=str(tmp_path / "tasks"), model=str(model), out=str(tmp_path / "eval"), trials=2)
    policy = PolicyIdentity(name=str(model), weights=weights_hash(model))
    with TrajectoryStore.create(f"{config.out}/trajectories", run="run") as store:
        store.begin(Collection(iteration=0, policy=policy, settings=config.episode))
        for (task, sample), texts in SCRIPTS.items():
            script = ScriptedPolicy(texts, policy)
            key = EpisodeKey("run", sample=sample)
            sources = {"capital_of": SOURCE}
            episode = run_episode(environments[task], sources, script, sandbox, config.episode, key)
            store.append([asyncio.run(episode)])
    return config


def test_scores_are_means_over_trials_then_tasks_then_scenarios(config: EvalConfig) -> None:
    results = evaluate(config, display=False)
    single, multi = results.scenarios["single_hop"], results.scenarios["multi_hop"]
    # Task 0: F1 1 and 0; task 1: 2/3 twice; task 2: 1 twice.
    assert (single.tasks, single.f1) == (2, pytest.approx((0.5 + 2 / 3) / 2))
    assert (multi.tasks, multi.f1) == (1, 1.0)
    assert results.macro.f1 == pytest.approx(((0.5 + 2 / 3) / 2 + 1) / 2)
    assert results.overall.f1 == pytest.approx((0.5 + 2 / 3 + 1) / 3)
    assert results.overall.recall == pytest.approx((0.5 + 1 + 1) / 3)
    assert results.overall.precision == pytest.approx((1 + 0.5 + 1) / 3)


def test_results_say_what_they_are_results_of(config: EvalConfig) -> None:
    returned = evaluate(config, display=False)
    written = json.loads(Path(config.out, "results.json").read_text())
    assert EvalResults.model_validate(written) == returned
    assert written["policy"]["weights"] == weights_hash(config.model)
    assert written["settings"]["temperature"] == 0.0
    assert written["profile"] == "reference-2025-08"
    assert written["versions"]["ftrl"]
    assert written["statuses"] == {"answered": 6}
    assert written["failures"] == {"tool_error": 2}
    assert Path(config.out, "table.txt").read_text() == render_table(returned) + "\n"


def test_the_other_profiles_means_stand_beside(config: EvalConfig) -> None:
    results = evaluate(config, display=False)
    assert list(results.other_profiles) == ["strict-1"]
    # As by reference, but that an episode without a call has no precision.
    strict = results.other_profiles["strict-1"]
    assert (strict.f1, strict.recall) == (results.macro.f1, results.macro.recall)
    assert strict.precision == pytest.approx(((0.5 + 0.5) / 2 + 1) / 2)
    assert "by strict-1" in render_table(results)


def test_trials_and_tasks_that_are_not_asked_for_do_not_count(config: EvalConfig) -> None:
    results = evaluate(config.model_copy(update={"trials": 1, "limit": 1}), display=False)
    assert (results.overall.tasks, results.overall.f1) == (1, 1.0)
    assert results.statuses == {"answered": 1}


def test_results_of_other_settings_do_not_mix(config: EvalConfig) -> None:
    other = config.model_copy(update={"episode": EpisodeSettings(temperature=1.0)})
    with pytest.raises(InputError, match="temperature"):
        evaluate(other, display=False)


def test_the_table_shows_per_cents_per_scenario_and_on_average(config: EvalConfig) -> None:
    lines = render_table(evaluate(config, display=False)).splitlines()
    assert lines[2].split() == ["single_hop", "2", "75.00", "75.00", "58.33", "[6.3,", "96.7]"]
    assert lines[4].startswith("mean of scenarios")
    assert lines[5].startswith("mean of tasks")


def test_scenarios_without_tasks_are_left_out() -> None:
    metrics = Metrics(profile="p", precision=1, recall=1, f1=1)
    scenarios, macro, _ = summarize({"a": Scenario.MULTI_HOP}, [("a", metrics)])
    assert list(scenarios) == ["multi_hop"]
    assert macro.f1 == 1


def test_the_command_prints_json_on_stdout(config: EvalConfig) -> None:
    arguments: list[Any] = ["--model", config.model, "--tasks", config.tasks, "--out", config.out, "--trials", "2"]
    result = CliRunner().invoke(group, ["ftrl-test", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert EvalResults.model_validate_json(result.stdout).overall.tasks == 3
