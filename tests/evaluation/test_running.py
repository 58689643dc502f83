"""A suite's run: what is played, kept, listed as not run, and what it comes to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.evaluate import group
from ftrl.errors import InputError
from ftrl.evaluation.paper_table import COLUMNS, own_rows, paper_rows, render_paper_table
from ftrl.evaluation.rotbench import RoTBench
from ftrl.evaluation.running import Played, RunIdentity, read_episodes, run_suite
from ftrl.evaluation.stored import open_run
from ftrl.evaluation.suite import Suite
from ftrl.evaluation.suite_results import render_suite, summarize_suite
from ftrl.evaluation.tau_bench import TauBench, scripted_user
from ftrl.evaluation.toolhop import ToolHop
from ftrl.rollouts import EngineFault, EpisodeSettings, Generation, PolicyIdentity
from ftrl.sandbox import Sandbox

RIGHT = 'Thought:\nAction: pour\nAction Input: {"kind": "green"}'
WRONG = 'Thought:\nAction: pour\nAction Input: {"kind": "black"}'


class Waiter:
    """A policy whose answer hangs on the question; it counts how often it is asked."""

    def __init__(self, answers: Mapping[str, str | None], name: str = "waiter") -> None:
        self.identity = PolicyIdentity(name=name)
        self.answers = answers
        self.asked: list[str] = []
        self.seeds: list[int | None] = []

    def converse(self, tools: object, settings: EpisodeSettings, seed: int | None = None) -> Any:
        self.seeds.append(seed)
        return self

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        question = messages[-1]["content"]
        self.asked.append(question)
        answer = self.answers[question]
        if answer is None:
            raise EngineFault("the engine hiccuped")
        return Generation(answer)


@pytest.fixture
def data(tmp_path: Path) -> str:
    system = "Tools:\n" + json.dumps([{"name": name} for name in ("pour", "ask_to_user", "finish")])

    def turn(question: str) -> dict[str, Any]:
        parts = [("system", system), ("user", question), ("assistant", [RIGHT])]
        return {"conversations": [{"from": who, "value": value} for who, value in parts], "scenario": "PL"}

    for setting, questions in (("clean", "ab"), ("heavy", "cd")):
        file = tmp_path / "data" / "First_Turn" / f"{setting}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([turn(question) for question in questions]))
    return str(tmp_path / "data")


def play(
    data: str,
    policy: Waiter,
    sandbox: Sandbox,
    out: Path,
    *,
    trials: int = 1,
    settings: EpisodeSettings = RoTBench.settings,
) -> Played:
    suite = RoTBench()
    run = run_suite(suite, suite.load(data), policy, sandbox, settings, str(out), trials=trials)
    played = asyncio.run(run)
    identity = RunIdentity.model_validate_json((out / "run.json").read_text())
    results = summarize_suite(identity, played, suite.metrics, tasks=data, trials=trials, versions={"ftrl": "0"})
    (out / "results.json").write_text(results.model_dump_json())
    return played


def test_a_run_plays_every_trial_of_every_sample_and_keeps_what_happened(
    data: str, one_sandbox: Sandbox, tmp_path: Path
) -> None:
    played = play(data, Waiter(dict.fromkeys("abcd", RIGHT)), one_sandbox, tmp_path / "out", trials=2)
    assert [(e.sample, e.trial) for e in played.episodes] == [
        (f"first/{setting}/{number}", trial) for trial in (0, 1) for setting in ("clean", "heavy") for number in (0, 1)
    ]
    stored = list(read_episodes(str(tmp_path / "out")))
    assert sorted(stored, key=lambda e: (e.trial, e.sample)) == list(played.episodes)
    assert stored[0].transcript.messages[-1]["content"] == RIGHT


def test_a_fault_of_ours_is_listed_and_tried_again_while_the_rest_is_not_played_anew(
    data: str, one_sandbox: Sandbox, tmp_path: Path
) -> None:
    first = Waiter({**dict.fromkeys("abc", RIGHT), "d": None})
    played = play(data, first, one_sandbox, tmp_path / "out")
    assert played.not_run == {("first/heavy/1", 0): "the engine hiccuped"}
    results = open_run(str(tmp_path / "out")).results
    assert results.not_run == {"first/heavy/1/0": "the engine hiccuped"}
    assert results.metrics["ftrl_cf"].tasks == 3  # type: ignore[union-attr]
    second = Waiter(dict.fromkeys("abcd", RIGHT))
    again = play(data, second, one_sandbox, tmp_path / "out")
    assert (second.asked, again.not_run, len(again.episodes)) == (["d"], {}, 4)


def test_every_trial_has_a_seed_of_its_own_that_is_the_same_in_every_run(
    data: str, one_sandbox: Sandbox, tmp_path: Path
) -> None:
    suite = RoTBench()
    settings = EpisodeSettings(max_turns=1, seed=5)
    policies = [Waiter(dict.fromkeys("abcd", RIGHT)) for _ in range(2)]
    for number, policy in enumerate(policies):
        out = str(tmp_path / str(number))
        asyncio.run(run_suite(suite, suite.load(data), policy, one_sandbox, settings, out, trials=2))
    assert policies[0].seeds == policies[1].seeds
    assert len(set(policies[0].seeds)) == 8


def test_episodes_of_another_model_do_not_mix(data: str, one_sandbox: Sandbox, tmp_path: Path) -> None:
    play(data, Waiter(dict.fromkeys("abcd", RIGHT)), one_sandbox, tmp_path / "out")
    with pytest.raises(InputError, match=r"run\.json: field 'policy'.*give another --out"):
        play(data, Waiter(dict.fromkeys("abcd", RIGHT), name="other"), one_sandbox, tmp_path / "out")


def test_results_show_every_metric_with_its_interval_whole_and_by_label(
    data: str, one_sandbox: Sandbox, tmp_path: Path
) -> None:
    play(data, Waiter({"a": RIGHT, "b": RIGHT, "c": RIGHT, "d": WRONG}), one_sandbox, tmp_path / "out", trials=2)
    results: Any = open_run(str(tmp_path / "out")).results
    assert results.metrics["official_cf"].mean == 0.75
    assert results.by_label["setting"]["heavy"]["official_cf"].mean == 0.5
    assert results.metrics["official_cf"].low < 0.75 < results.metrics["official_cf"].high
    assert set(results.pass_hat_k) == {1, 2}
    shown = render_suite(results)
    assert "rotbench: waiter" in shown
    assert "setting: heavy" in shown
    assert "75.00 [" in shown


@pytest.fixture
def two_runs(data: str, one_sandbox: Sandbox, tmp_path: Path) -> tuple[str, str]:
    for name, answers in (("trained", "RRRR"), ("base", "RWWR")):
        says = {q: RIGHT if a == "R" else WRONG for q, a in zip("abcd", answers, strict=True)}
        play(data, Waiter(says, name), one_sandbox, tmp_path / name)
    return str(tmp_path / "trained"), str(tmp_path / "base")


def test_compare_prints_difference_interval_p_value_and_flipped_tasks(two_runs: tuple[str, str]) -> None:
    result = CliRunner().invoke(group, ["compare", *two_runs, "--metric", "ftrl_cf"])
    assert result.exit_code == 0, result.output
    assert "A - B: +50.00 points, 95 % in [" in result.stdout
    assert "p = 0.5 (sign-flip test by task)" in result.stdout
    assert "A better on 2 tasks: first/clean/1, first/heavy/0" in result.stdout
    as_json = json.loads(CliRunner().invoke(group, ["compare", *two_runs, "--metric", "ftrl_cf", "--json"]).stdout)
    assert (as_json["difference"], as_json["tasks"], as_json["worse"]) == (0.5, 4, [])


def test_compare_names_some_of_the_flipped_tasks_and_counts_the_others(
    two_runs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftrl.evaluation.stored.NAMED", 1)
    told = CliRunner().invoke(group, ["compare", *two_runs, "--metric", "ftrl_cf"]).stdout
    assert "A better on 2 tasks: first/clean/1 and 1 more (--json has all)" in told


def test_compare_refuses_what_does_not_compare(two_runs: tuple[str, str], tmp_path: Path) -> None:
    for arguments, message in (
        ([two_runs[0], str(tmp_path)], "no finished evaluation"),
        ([*two_runs, "--metric", "f1"], "no metric 'f1'"),
    ):
        error = CliRunner().invoke(group, ["compare", *arguments]).exception
        assert isinstance(error, InputError)
        assert message in str(error)


def test_the_papers_rows_are_the_papers_figures() -> None:
    rows = {(row.model, row.thinking, row.method): row for row in paper_rows()}
    assert len(rows) == 21
    base = rows["Qwen2.5-7B", False, "base"]
    assert [cell.value for cell in base.cells.values()] == [27.44, 27.69, 25.97, 11.99, 5.91, 70.38, 27.33, 15.43]
    # The average is over the eight columns, and so it is in our own rows.
    assert base.average == pytest.approx(sum(cell.value for cell in base.cells.values()) / len(COLUMNS), abs=0.005)
    assert list(rows["Qwen3-8B", True, "FTRL GRPO"].cells) == ["solve_f1"]


def test_the_shipped_rows_are_those_of_the_source(shared: Path) -> None:
    from ftrl.evaluation import paper_table

    shipped = Path(paper_table.__file__).with_name("paper_table2.csv")
    assert shipped.read_text() == (shared / "data" / "paper_table2.csv").read_text()


def test_the_table_holds_own_rows_under_the_papers(two_runs: tuple[str, str]) -> None:
    result = CliRunner().invoke(group, ["table", *two_runs])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].split()[:4] == ["Qwen2.5-7B", "no", "base", "27.44"]
    (own,) = [line for line in lines if line.startswith("base ")]
    assert "100.00 ±" in own
    assert "Ye et al. 2025" in lines[-1]
    assert re.match(r"Own row (base|trained): rotbench, /", lines[-2])
    assert lines[-1].endswith("± is half a 95 % interval.")


def test_a_providers_model_that_thinks_has_a_row_of_its_own(data: str, one_sandbox: Sandbox, tmp_path: Path) -> None:
    for effort in (None, "none", "high"):
        waiter, out = Waiter(dict.fromkeys("abcd", RIGHT)), tmp_path / str(effort)
        play(data, waiter, one_sandbox, out, settings=EpisodeSettings(max_turns=1, reasoning_effort=effort))
    thinking = {name: open_run(str(tmp_path / name)).thinking for name in ("None", "none", "high")}
    assert thinking == {"None": False, "none": False, "high": True}
    rows = own_rows([open_run(str(tmp_path / name)) for name in ("none", "high")])
    assert [(row.model, row.thinking) for row in rows] == [("waiter", False), ("waiter", True)]


def test_the_table_comes_as_csv_latex_and_html(two_runs: tuple[str, str]) -> None:
    rows = own_rows([open_run(two_runs[0])])
    assert (
        render_paper_table(rows, "csv").splitlines()[-1].startswith("trained,no,this run,,,,,,100.00,100.00,100.00,,")
    )
    assert r"Qwen2.5-7B & no & base & 27.44" in render_paper_table(rows, "latex")
    assert r"$\tau$-bench pass\textasciicircum{}1" in render_paper_table(rows, "latex")
    assert "<td>trained</td><td>no</td>" in render_paper_table(rows, "html")
    with pytest.raises(InputError, match="text, csv, latex, html"):
        render_paper_table(rows, "pdf")


def test_two_evaluations_for_one_cell_are_refused(two_runs: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="two evaluations of trained fill the column RoTBench TS"):
        own_rows([open_run(two_runs[0])] * 2)


def test_every_suite_tells_where_its_data_comes_from_and_how_to_get_it() -> None:
    suites: list[Suite[Any]] = [RoTBench(), ToolHop(), TauBench(scripted_user([]))]
    assert [suite.name for suite in suites] == ["rotbench", "toolhop", "tau-bench"]
    for suite in suites:
        assert suite.source.licence
        assert suite.source.how
