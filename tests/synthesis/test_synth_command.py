from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from ftrl.commands import synth
from ftrl.commands.synth_progress import SynthesisShown
from ftrl.environments import EnvironmentStore
from ftrl.errors import InputError
from ftrl.synthesis.config import StageReport, SynthesisReport


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


def test_a_line_tells_what_is_in_flight_while_nothing_ends(capsys):
    waiting = StageReport(name="decompose", entered=3, left=1, rejected={}, in_flight=2, repeated=0, seconds=60.0)
    with SynthesisShown(100) as shown:
        for second in range(65):
            shown(SynthesisReport(out="store", stages=[waiting], seconds=float(second)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[2].split(" (")[0] for line in lines] == ["0 s", "30 s", "60 s"]
    assert all("decompose 1, 2 in flight" in line for line in lines)


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


@pytest.fixture
def shop(tmp_path):
    """Two tables of a shop, as CSV: makers in towns."""
    folder = tmp_path / "shop"
    folder.mkdir()
    names = ("Ardmore", "Belfort", "Cazorla", "Dornach", "Esbjerg", "Fermo", "Gorlitz", "Hobart", "Izmir", "Jerez")
    towns = ["town_code,name,founded", *(f"X{i}Q,{name},{1200 + 37 * i}-03-{i + 1:02}" for i, name in enumerate(names))]
    makers = ["maker_id,maker_name,town_code,head_count"]
    makers += [f"{i + 1},{name[::-1].title()} Works,X{i * 3 % 10}Q,{3100 + i * 431}" for i, name in enumerate(names)]
    for table, lines in (("towns", towns), ("makers", makers)):
        (folder / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_tables_of_ones_own_become_environments(run, shop, tmp_path):
    result = run("--tables", str(shop), "--count", "6", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["accepted"] == 6
    assert [stage["name"] for stage in report["stages"]] == ["build", "verify", "store"]
    store = EnvironmentStore.open(str(tmp_path / "store"))
    assert len(store) == 6
    assert any("Works" in environment.question for environment in store)
    assert all(environment.provenance["generator"] == "tables" for environment in store)


def test_tables_that_can_not_be_read_are_refused_with_their_name(run, shop):
    (shop / "towns.csv").write_text("town_code,name\nX1Q\n", encoding="utf-8")
    result = run("--tables", str(shop), "--count", "6")
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_code == 2
    assert "towns.csv" in str(result.exception)


def test_a_store_goes_on_with_resume_and_keeps_off_what_is_excluded(run, tmp_path):
    assert run("--count", "4").exit_code == 0
    other = tmp_path / "store"
    result = run("--count", "6", "--resume", "--json")
    assert json.loads(result.stdout)["kept"] == 4
    again = run("--count", "6", "--out", str(tmp_path / "other"), "--exclude", str(other), "--json")
    report = json.loads(again.stdout)
    assert report["rejections"]["contaminated"] >= 6
    assert not set(EnvironmentStore.open(str(other)).ids()) & set(EnvironmentStore.open(str(tmp_path / "other")).ids())


def test_what_each_stage_made_is_told_in_lines(run):
    result = run("--count", "3")
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.startswith("    ")}
    assert "3 in" in lines["build"]
    assert "none rejected" in lines["verify"]
    assert "3 out" in lines["store"]
    assert "build 3, 0 in flight" in result.stderr
