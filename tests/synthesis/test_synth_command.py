from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from ftrl.commands import synth
from ftrl.environments import EnvironmentStore
from ftrl.errors import InputError


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    app.callback()(lambda: None)
    synth.register(app)

    def invoke(*words: str):
        return CliRunner().invoke(app, ["synth", "--out", str(tmp_path / "store"), *words])

    return invoke


def test_the_command_writes_a_store_and_prints_what_it_made(run, tmp_path):
    result = run("--count", "4", "--scenario", "multi_hop", "--scenario", "single_hop", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "4 environments written" in result.stdout
    assert "100.0% of 4 candidates accepted" in result.stdout
    scenarios = [environment.scenario.value for environment in EnvironmentStore.open(str(tmp_path / "store"))]
    assert scenarios == ["multi_hop", "single_hop"] * 2


def test_json_prints_the_report_and_nothing_else_on_stdout(run):
    result = run("--count", "2", "--json", "--split", "test", "--distractors", "1-1")
    report = json.loads(result.stdout)
    assert report["accepted"] == 2
    assert "synth: 2 of 2 items" in result.stderr


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--distractors", "few"), "distractors"),
        (("--distractors", "5-2"), "distractors"),
        (("--hops", "many"), "hops"),
        (("--hops", "1-3"), "hops"),
        (("--branches", "5-2"), "branches"),
        (("--near-misses", "2"), "near_misses"),
        (("--expansions", "-1"), "expansions"),
        (("--count", "0"), "count"),
        (("--split", "dev"), "split"),
        (("--generator", "magic"), "generator"),
        (("--generator", "llm"), "model"),
        (("--model", "openai/x"), "model"),
    ],
)
def test_bad_usage_is_an_input_error_that_names_the_option(run, words, field):
    result = run(*words)
    assert isinstance(result.exception, InputError)
    assert result.exception.field == field


def test_help_shows_an_example(run):
    result = run("--help")
    assert "Example: ftrl synth" in result.stdout
