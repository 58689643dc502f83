"""What a report says of a run, finished or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ftrl.analysis import diff_models
from ftrl.environments import EnvironmentStore, export_published
from ftrl.errors import InputError
from ftrl.evaluation import compare_runs, open_run
from ftrl.reports import ReportData, open_run_folder, report_data
from ftrl.rollouts import TrajectoryStore

SECTIONS = {"construction", "tasks", "trajectories", "training", "evaluation", "changes", "surroundings"}


@pytest.fixture(scope="module")
def data(small_run: Path) -> ReportData:
    return report_data(open_run_folder(str(small_run)))


def report_of(path: Path, **options: list[str]) -> ReportData:
    """Without running tools: what is looked at here needs none."""
    return report_data(open_run_folder(str(path), **options), run_tools=False)


# A finished run


def test_a_finished_run_has_every_section(data: ReportData) -> None:
    assert data.missing == {}


def test_the_headline_tells_the_difference_and_how_sure_it_is(small_run: Path, data: ReportData) -> None:
    before, after = (open_run(str(small_run / "evaluation" / name)) for name in ("before", "after"))
    _, found = compare_runs(after, before)
    assert "rose" in data.overview.headline
    for figure in (found.difference, found.low, found.high):
        assert f"{figure:+.3f}" in data.overview.headline


def test_differences_are_those_of_ftrl_eval_compare(small_run: Path, data: ReportData) -> None:
    before, after = (open_run(str(small_run / "evaluation" / name)) for name in ("before", "after"))
    assert data.evaluation is not None
    (between,) = data.evaluation.differences
    assert (between.first, between.last) == ("before", "after")
    for metric in ("f1", "precision", "recall"):
        _, found = compare_runs(after, before, metric)
        (row,) = (row for row in between.rows if row.metric == metric and row.part == "all tasks")
        assert (row.difference, row.low, row.high, row.p_value) == (
            found.difference,
            found.low,
            found.high,
            found.p_value,
        )
        assert (row.better, row.worse, row.tasks) == (len(found.better), len(found.worse), 8)


def test_every_scenario_has_an_interval_and_a_difference(data: ReportData) -> None:
    assert data.evaluation is not None
    scenarios = ["single_hop", "parallel_single_hop", "multi_hop", "parallel_multi_hop"]
    for run in data.evaluation.runs:
        assert [row.name for row in run.rows] == [*scenarios, "mean of scenarios", "all tasks"]
        assert all(row.figures["f1"].low is not None for row in run.rows)
    rows = data.evaluation.differences[0].rows
    assert [row.part for row in rows if row.metric == "f1"] == [*scenarios, "all tasks"]


def test_the_papers_rows_stand_beside_those_of_the_run(data: ReportData) -> None:
    assert data.evaluation is not None
    assert data.evaluation.paper is not None
    own = [cells for is_own, cells in data.evaluation.paper.rows if is_own]
    others = [cells for is_own, cells in data.evaluation.paper.rows if not is_own]
    assert [cells[2] for cells in own] == ["this run", "this run"]
    assert any("Qwen2.5-7B" in cells[0] for cells in others)


def test_the_same_task_is_shown_before_and_after(data: ReportData) -> None:
    assert data.trajectories is not None
    assert data.trajectories.of == 24, "8 before, 8 after, 8 that were collected to train on"
    assert data.trajectories.shown == 16
    assert data.trajectories.chosen.startswith("every task that before and after both played")
    for group in data.trajectories.groups:
        assert [episode.label for episode in group.episodes] == ["before", "after"]
        first, last = (episode.scores[0].metrics["F1"] for episode in group.episodes)
        assert group.change == pytest.approx(last - first)
        assert group.known


def test_both_profiles_say_of_every_call_what_it_ticked_or_why_it_did_not(data: ReportData) -> None:
    assert data.trajectories is not None
    episodes = [episode for group in data.trajectories.groups for episode in group.episodes]
    verdicts = [call.verdicts for episode in episodes for turn in episode.turns for call in turn.calls]
    assert verdicts
    for of_call in verdicts:
        assert [verdict.profile for verdict in of_call] == ["strict", "reference"]
        assert all(verdict.why for verdict in of_call)
    whys = {verdict.why for of_call in verdicts for verdict in of_call}
    assert "there is no such tool" in whys
    assert any(why.startswith("ticked gold 1 of 1: ") for why in whys)


def test_the_marks_agree_with_the_scores_that_were_stored(data: ReportData) -> None:
    assert data.trajectories is not None
    assert [episode.note for group in data.trajectories.groups for episode in group.episodes] == [""] * 16


def test_the_marks_agree_with_the_golds_that_were_stored(small_run: Path, data: ReportData) -> None:
    assert data.trajectories is not None
    store = TrajectoryStore.open(str(small_run / "evaluation/after/trajectories"))
    stored = {trajectory.environment_id: [call.gold for call in trajectory.calls] for trajectory in store}
    for group in data.trajectories.groups:
        marks = [call.verdicts[0].gold for turn in group.episodes[1].turns for call in turn.calls]
        assert marks == stored[group.task]


def test_every_turn_tells_what_it_would_earn_in_training(data: ReportData) -> None:
    assert data.trajectories is not None
    turns = [turn for group in data.trajectories.groups for episode in group.episodes for turn in episode.turns]
    assert all([reward.profile for reward in turn.rewards] == ["strict", "reference"] for turn in turns)
    assert any(reward.value == 1.0 for turn in turns for reward in turn.rewards)


def test_tasks_come_with_their_tree_documents_sources_and_golds(small_run: Path, data: ReportData) -> None:
    assert data.tasks is not None
    assert (data.tasks.of, data.tasks.chosen) == (8, "all of them")
    store = EnvironmentStore.open(str(small_run / "tasks" / "test"))
    for page, environment in zip(data.tasks.tasks, store, strict=True):
        assert page.id == environment.id
        assert [gold.value for gold in page.golds] == [gold.value for gold in environment.golds]
        assert [step.depends_on for step in page.steps] == [step.depends_on for step in environment.trace]
        assert all(step.wave == (max(len(step.depends_on), 0) and step.wave) for step in page.steps)
        sources = {tool.name: data.tasks.sources[tool.source or ""] for tool in page.tools}
        assert sources == store.sources(environment)
        assert page.scores["after"] >= page.scores["before"] or page.row == 7


def test_construction_tells_funnel_verification_difficulty_and_audit(data: ReportData) -> None:
    (made,) = data.construction
    assert made.generator.startswith("the tables generator (compact), seed 0")
    assert [stage.name for stage in made.funnel] == ["build", "verify", "store"]
    assert made.funnel[-1].left == 8
    assert made.verification["golden"] > 0
    labels = [of.label for of in made.difficulty]
    assert labels == ["before", "after", "training, iteration 1"]
    whole = made.difficulty[1].rows[-1]
    assert (whole.tasks, whole.never, whole.always) == (8, 1, 7)
    assert made.audit is not None
    assert sum(made.audit.report.grades.values()) == made.audit.of == 8


def test_training_curves_hold_the_steps_and_no_number_that_is_none(data: ReportData) -> None:
    (iteration,) = data.training
    assert (iteration.steps, iteration.total, iteration.done, iteration.episodes) == (tuple(range(1, 26)), 25, True, 8)
    reward, entropy = iteration.charts[0], iteration.charts[1]
    assert [series.label for series in reward.series] == ["strict, trained on"], "one line, not the same one twice"
    assert reward.series[0].values[0] == pytest.approx(0.12)
    assert entropy.series[0].values[:3] == (1.0, None, 1.0)
    assert iteration.others == (("actor/lr", 1e-6, 1e-6),)


def test_the_heat_map_is_that_of_ftrl_model_diff(small_run: Path, data: ReportData) -> None:
    diff = diff_models(small_run / "model", small_run / "training/iteration-1/policy")
    assert data.changes is not None
    assert data.changes.relative == diff.whole.relative
    moved = [cell for cell in data.changes.cells if cell.relative]
    assert [(cell.layer, cell.module, cell.share) for cell in moved] == [(1, "mlp.down", 1.0)]
    assert moved[0].relative == pytest.approx(0.5)


def test_surroundings_hold_versions_and_every_setting(data: ReportData) -> None:
    assert data.surroundings is not None
    assert ("vllm", "0.28.0") in data.surroundings.versions
    training = next(table for table in data.surroundings.settings if table.title.startswith("Training"))
    assert ("optim.batch_size", "8") in training.rows


# Runs that are not finished, or only a part


def test_an_unfinished_run_says_in_a_sentence_what_is_not_there_yet(copied: Path) -> None:
    shutil.rmtree(copied / "evaluation")
    shutil.rmtree(copied / "training/iteration-1/policy")
    (copied / "training/iteration-1/metrics.jsonl").write_text('{"step": 1, "total": 25, "ftrl/score": 0.1}\n{"st')
    data = report_of(copied)
    assert set(data.missing) == {"evaluation", "changes"}
    assert "No iteration is finished" in data.missing["changes"]
    assert "step 1 of 25" in data.overview.headline
    states = {stage.name: stage.state for stage in data.overview.stages}
    assert states == {"tasks": "done", "episodes": "done", "training": "begun", "evaluation": "absent"}
    assert data.trajectories is not None
    assert [len(group.episodes) for group in data.trajectories.groups] == [1] * 8


def test_a_quickstart_that_evaluates_its_trained_policy_shows_both_policies_already(copied: Path) -> None:
    (copied / "evaluation/after/results.json").unlink()
    data = report_of(copied)
    assert data.trajectories is not None
    assert [episode.label for episode in data.trajectories.groups[0].episodes] == ["before", "after"]
    assert data.evaluation is not None
    assert data.evaluation.differences == ()


@pytest.mark.parametrize(
    ("part", "there"),
    [
        ("tasks/test", {"construction", "tasks"}),
        ("evaluation/after/trajectories", {"trajectories", "surroundings"}),
        ("evaluation/after", SECTIONS - {"training", "changes"}),
        ("training", SECTIONS - {"evaluation"}),
    ],
)
def test_every_kind_of_folder_has_a_report(small_run: Path, part: str, there: set[str]) -> None:
    assert SECTIONS - set(report_of(small_run / part).missing) == there


def test_episodes_whose_tasks_are_not_at_hand_are_shown_without_verdicts(small_run: Path) -> None:
    store = small_run / "evaluation/before/trajectories"
    data = report_of(store)
    assert data.trajectories is not None
    episode = data.trajectories.groups[-1].episodes[0]
    assert "--tasks" in episode.note
    assert episode.turns[0].calls[0].verdicts == ()
    named = report_of(store, tasks=[str(small_run / "tasks/test")])
    assert named.trajectories is not None
    assert len(named.trajectories.groups[-1].episodes[0].turns[0].calls[0].verdicts) == 2


def test_evaluations_that_lie_elsewhere_are_compared_in_the_order_in_which_they_are_named(small_run: Path) -> None:
    evaluations = [str(small_run / "evaluation" / name) for name in ("before", "after")]
    data = report_of(small_run / "training", evaluations=evaluations)
    assert data.evaluation is not None
    (between,) = data.evaluation.differences
    assert (between.first, between.last) == ("before", "after")


def test_folders_elsewhere_are_named_by_what_tells_them_apart(small_run: Path, tmp_path: Path) -> None:
    folders = [tmp_path / model / "ftrl-test" for model in ("base", "tuned")]
    for folder, name in zip(folders, ("before", "after"), strict=True):
        shutil.copytree(small_run / "evaluation" / name, folder)
    opened = open_run_folder(str(small_run / "training"), evaluations=map(str, folders))
    assert [one.label for one in opened.evaluations] == ["base/ftrl-test", "tuned/ftrl-test"]


def test_a_file_of_tasks_has_a_report(small_run: Path, tmp_path: Path) -> None:
    export_published(str(small_run / "tasks/test"), str(tmp_path / "tasks.jsonl"))
    data = report_of(tmp_path / "tasks.jsonl")
    assert data.tasks is not None
    assert data.tasks.of == 8
    assert data.construction[0].funnel == ()


def test_a_store_that_is_begun_tells_what_was_rejected(tmp_path: Path) -> None:
    why = {"stage": "verify", "rule": "golden_call", "detail": "no"}
    lines = [{"item": item, "attempt": n, **why, "last": n == 1} for item in (0, 1) for n in (0, 1)]
    folder = tmp_path / "store/construction/rejections"
    folder.mkdir(parents=True)
    (folder / "00000000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made,) = report_of(tmp_path / "store").construction
    assert [(stage.name, stage.entered, stage.left, stage.rejected) for stage in made.funnel] == [
        ("verify", 4, 0, {"golden_call": 4})
    ]
    assert made.given_up == 2


def test_a_run_that_was_moved_finds_its_own_model_and_tasks(copied: Path, small_run: Path, tmp_path: Path) -> None:
    text = (copied / "training/config.yaml").read_text().replace(str(small_run), str(tmp_path / "gone"))
    (copied / "training/config.yaml").write_text(text)
    data = report_of(copied / "training")
    assert data.changes is not None
    assert data.tasks is not None


def test_a_comparison_that_lies_in_the_run_is_taken_as_it_is(copied: Path) -> None:
    (copied / "diff").mkdir()
    diff = diff_models(copied / "model", copied / "model")
    (copied / "diff/diff.json").write_text(diff.model_dump_json())
    data = report_of(copied)
    assert data.changes is not None
    assert data.changes.relative == 0


def test_large_models_are_left_to_the_command(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftrl.reports.changes.MOST_NUMBERS", 100)
    data = report_of(copied)
    assert data.changes is None
    assert "ftrl model diff" in data.missing["changes"]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_a_place_where_nothing_of_ours_lies_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "there")  # type: ignore[operator]
    with pytest.raises(InputError, match="nothing here that a run of ftrl leaves"):
        open_run_folder(str(tmp_path / "there"))


def test_broken_results_are_named(copied: Path) -> None:
    (copied / "evaluation/after/results.json").write_text("{}")
    with pytest.raises(InputError, match=r"after/results\.json"):
        open_run_folder(str(copied))
