"""Evaluations of other benchmarks: conversations in which a user speaks again, and figures by label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftrl.evaluation import Episode, Played, RunIdentity, Score, Transcript, summarize_suite
from ftrl.reports import ReportData, open_run_folder, render, report_data
from ftrl.reports.viewing import write_logs
from ftrl.rollouts import EpisodeSettings, PolicyIdentity, TrajectoryCall
from ftrl.sandbox import CallStatus

LOOK = {"name": "look_up", "arguments": '{"order": 7}'}
CANCEL = {"name": "cancel", "arguments": '{"order": 7}'}


def assistant(content: str, *calls: dict[str, str]) -> dict[str, Any]:
    asked = [{"id": f"call_{n}", "type": "function", "function": call} for n, call in enumerate(calls)]
    return {"role": "assistant", "content": content, "tool_calls": asked or None}


def made(function: dict[str, str], status: CallStatus) -> TrajectoryCall:
    return TrajectoryCall(turn=0, **function, output="", call_status=status, seconds=0.5)


TRANSCRIPT = Transcript(
    messages=(
        {"role": "system", "content": "You serve customers."},
        {"role": "user", "content": "Hello."},
        assistant("", LOOK),
        {"role": "tool", "content": "on its way", "tool_call_id": "call_0"},
        assistant("It is on its way."),
        {"role": "user", "content": "Cancel it."},
        assistant("", CANCEL),
        {"role": "tool", "content": "too late", "tool_call_id": "call_0"},
        assistant("It is too late."),
    ),
    calls=(made(LOOK, CallStatus.OK), made(CANCEL, CallStatus.TOOL_ERROR)),
    ending="user_stopped",
)


def episode(sample: int, trial: int, reward: float) -> Episode:
    return Episode(
        sample=f"retail-{sample}",
        trial=trial,
        labels={"domain": "retail" if sample % 2 else "airline"},
        transcript=TRANSCRIPT,
        score=Score(metrics={"reward": reward}, explanation="the database is right"),
    )


def evaluate(folder: Path, name: str, rewards: list[float]) -> None:
    """What ``ftrl eval tau-bench`` leaves, of episodes with these rewards, two trials a task."""
    identity = RunIdentity(
        suite="tau-bench",
        version="1",
        variant={"mode": "official"},
        policy=PolicyIdentity(name=name),
        settings=EpisodeSettings(),
    )
    episodes = tuple(episode(at // 2, at % 2, reward) for at, reward in enumerate(rewards))
    played = Played(episodes, {("retail-9", 0): "the provider was away"})
    results = summarize_suite(identity, played, ["reward"], tasks="tau.jsonl", trials=2, versions={"ftrl": "0.1.0"})
    (folder / "episodes").mkdir(parents=True)
    (folder / "results.json").write_text(results.model_dump_json())
    lines = "".join(one.model_dump_json() + "\n" for one in episodes)
    (folder / "episodes" / "part-00000.jsonl").write_text(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suites") / "results"
    evaluate(folder / "first", "base", [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    evaluate(folder / "second", "tuned", [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> ReportData:
    return report_data(open_run_folder(str(folder)), run_tools=False)


def test_figures_come_by_label_with_pass_hat_k_and_what_was_not_run(data: ReportData) -> None:
    assert data.evaluation is not None
    view = data.evaluation.runs[1]
    assert [row.name for row in view.rows] == [
        "domain: airline",
        "domain: retail",
        "all tasks",
        "pass^1",
        "pass^2",
    ]
    assert view.rows[2].figures["reward"].mean == pytest.approx(0.75)
    assert (view.trials, view.not_run, view.endings) == (2, 1, {"user_stopped": 8})
    assert data.overview.headline.startswith("reward on 4 tasks of tau-bench (official) rose from 0.250 (first)")


def test_conversations_are_shown_side_by_side_with_what_the_user_said(data: ReportData) -> None:
    assert data.trajectories is not None
    assert (data.trajectories.of, data.trajectories.shown) == (16, 16)
    group = data.trajectories.groups[0]
    assert group.change == 1.0
    assert group.question == "Hello."
    last = group.episodes[1]
    assert [turn.heard for turn in last.turns] == ["", "", "Cancel it.", ""]
    calls = [(call.name, call.output, call.status) for turn in last.turns for call in turn.calls]
    assert calls == [("look_up", "on its way", "ok"), ("cancel", "too late", "tool_error")]
    assert last.note == "the database is right"


def test_the_page_and_the_logs_take_them(folder: Path, data: ReportData, tmp_path: Path) -> None:
    assert "Cancel it." in render(data)
    written = write_logs(str(folder), str(tmp_path), run_tools=False)
    assert [(log.label, log.episodes, log.of) for log in written] == [("first", 8, 8), ("second", 8, 8)]
