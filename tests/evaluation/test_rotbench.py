"""RoTBench: which answers reach which level, by both published rules."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.evaluation.rotbench import (
    SETTINGS,
    TURNS,
    Action,
    Levels,
    RoTBench,
    RoTBenchTask,
    ftrl_levels,
    official_levels,
    score_answer,
)
from ftrl.evaluation.suite import Sample
from ftrl.rollouts import EpisodeSettings, ScriptedPolicy
from ftrl.sandbox import Sandbox

NONE, TS, PI, CF = Levels(), Levels(ts=True), Levels(ts=True, pi=True), Levels(ts=True, pi=True, cf=True)

TOOLS = ["pour_tea", "list_cups", "ask_to_user", "finish"]


def answer(tool: str, parameters: Any) -> str:
    return f"Thought: now\nAction: {tool}\nAction Input: {json.dumps(parameters)}"


def row(**changes: Any) -> dict[str, Any]:
    system = f"Use these tools:\n{json.dumps([{'name': name} for name in TOOLS])}\n\nLet's Begin!"
    right = [answer("pour_tea", {"kind": "green", "cups": "2", "sugar": "None"}), answer("list_cups", {"of": "me"})]
    parts = [("system", system), ("user", "Two cups of green tea.\nBegin!\n"), ("assistant", right)]
    published = {"conversations": [{"from": who, "value": value} for who, value in parts], "scenario": "PL"}
    return {"id": "Turn 1: tea", **published, **changes}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "First_Turn").mkdir()
    (tmp_path / "First_Turn" / "clean.json").write_text(json.dumps([row()]))
    return tmp_path


@pytest.fixture
def sample(data: Path) -> Sample[RoTBenchTask]:
    return RoTBench().load(str(data))[0]


def test_a_turn_is_read_with_its_conversation_tools_answers_and_labels(sample: Sample[RoTBenchTask]) -> None:
    assert sample.id == "first/clean/0"
    assert sample.labels == {"turn": "first", "setting": "clean", "scenario": "personal life"}
    assert [message["role"] for message in sample.task.messages] == ["system", "user"]
    assert sample.task.tools == tuple(TOOLS)
    assert sample.task.answers[1] == Action("list_cups", {"of": "me"})


@pytest.mark.parametrize(
    ("text", "official", "ftrl"),
    [
        (answer("pour_tea", {"kind": "green", "cups": "2", "sugar": "None"}), CF, CF),
        (answer("list_cups", {"of": "me"}), CF, CF),
        # "None" in the right answer: any value, by RoTBench's own rule.
        (answer("pour_tea", {"kind": "green", "cups": "2", "sugar": "much"}), CF, PI),
        # Values under each other's names: the paper's rule compares the values alone.
        (answer("pour_tea", {"kind": "2", "cups": "green", "sugar": "None"}), PI, CF),
        (answer("pour_tea", {"kind": "black", "cups": "2", "sugar": "None"}), PI, PI),
        (answer("pour_tea", {"kind": "green", "cups": 2, "sugar": "None"}), PI, PI),
        (answer("pour_tea", {"kind": ["green"], "cups": "2", "sugar": "None"}), PI, PI),
        (answer("pour_tea", {"kind": "green", "cups": "2"}), TS, TS),
        (answer("pour_tea", {"kind": "green", "cups": "2", "sugar": "None", "milk": "no"}), TS, TS),
        (answer("list_cups", {"kind": "green", "cups": "2", "sugar": "None"}), TS, TS),
        (answer("list_cups", {}), NONE, TS),
        (answer("brew_tea", {"kind": "green", "cups": "2", "sugar": "None"}), NONE, NONE),
        (answer("ask_to_user", {"question": "Which?"}), NONE, NONE),
        ("Green tea it is.", NONE, NONE),
        ("", NONE, NONE),
        ("Action: pour_tea", NONE, NONE),
        (answer("pour_tea", "green"), NONE, NONE),
        (answer("pour_tea", ["green", "2", "None"]), NONE, NONE),
        ("Action: pour_tea\nAction Input: {'kind': 'green'}", NONE, NONE),
        (answer("pour_tea", {"kind": "green", "cups": "2", "sugar": "None"}) + "\nObservation: hot", NONE, NONE),
    ],
)
def test_an_answer_reaches_the_levels_it_should(
    sample: Sample[RoTBenchTask], text: str, official: Levels, ftrl: Levels
) -> None:
    assert official_levels(sample.task, text) == official
    assert ftrl_levels(sample.task, text) == ftrl


@pytest.mark.parametrize("tool", ["finish", "ask_to_user"])
def test_what_is_asked_or_said_last_is_free_by_the_official_rule(tool: str) -> None:
    task = RoTBenchTask((), ("pour_tea", "ask_to_user", "finish"), (Action(tool, {"answer": "Here is your tea."}),))
    text = answer(tool, {"answer": "Enjoy."})
    assert (official_levels(task, text), ftrl_levels(task, text)) == (CF, PI)


def test_finish_may_be_called_by_its_old_name_by_the_official_rule_only() -> None:
    task = RoTBenchTask((), ("pour_tea", "ask_to_user", "hsinif"), (Action("hsinif", {"answer": "Tea."}),))
    text = answer("finish", {"answer": "Tea."})
    assert (official_levels(task, text), ftrl_levels(task, text)) == (CF, NONE)


def test_a_right_answer_counts_whichever_of_the_published_ones_it_is() -> None:
    """The published script takes what "None" frees out of the answer for good, and so refuses the second here."""
    right = (Action("pour", {"kind": "green", "cups": "None"}), Action("pour", {"kind": "black", "cups": "None"}))
    task = RoTBenchTask((), ("pour", "ask_to_user", "finish"), right)
    assert official_levels(task, answer("pour", {"kind": "black", "cups": "None"})) == CF


def test_a_turn_is_played_without_tools_beside_the_system_message_and_scored(
    sample: Sample[RoTBenchTask], one_sandbox: Sandbox
) -> None:
    suite, policy = RoTBench(), ScriptedPolicy([answer("list_cups", {"of": "me"})])
    transcript = asyncio.run(suite.play(sample, policy, one_sandbox, EpisodeSettings()))
    score = asyncio.run(suite.score(sample, transcript, one_sandbox))
    assert [message["role"] for message in transcript.messages] == ["system", "user", "assistant"]
    assert score.metrics == dict.fromkeys(suite.metrics, 1.0)
    assert score.explanation == "levels reached - official: ts, pi, cf; ftrl: ts, pi, cf"


def test_missing_data_is_refused_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`ftrl eval fetch rotbench` gets it"):
        RoTBench().load(str(tmp_path))


@pytest.mark.parametrize(
    "broken", [{"conversations": []}, {"conversations": "text"}, row(conversations=row()["conversations"][:2])]
)
def test_a_broken_row_is_refused_with_file_row_and_field(data: Path, broken: dict[str, Any]) -> None:
    file = data / "First_Turn" / "clean.json"
    file.write_text(json.dumps([row(), broken]))
    with pytest.raises(InputError, match=r"clean.json:2: field 'conversations'"):
        RoTBench().load(str(data))


def test_the_published_answers_score_100_in_all_levels_settings_and_turns(shared: Path) -> None:
    samples = RoTBench().load(str(shared / "data" / "rotbench"))
    assert {(s.labels["turn"], s.labels["setting"]) for s in samples} == {
        (t, s) for t in TURNS.values() for s in SETTINGS
    }
    refused = []
    for sample in samples:
        for gold in sample.task.answers:
            metrics = score_answer(sample.task, answer(gold.tool, gold.parameters)).metrics
            assert {level: metrics[f"ftrl_{level}"] for level in ("ts", "pi", "cf")} == {"ts": 1, "pi": 1, "cf": 1}
            if not all(metrics.values()):
                refused.append(gold)
    # The official script takes an empty object for no call: 84 of 1,912 right answers, and no others, earn nothing.
    assert len(refused) == sum(not gold.parameters for sample in samples for gold in sample.task.answers) == 84
    assert not any(gold.parameters for gold in refused)


def test_both_turns_hold_the_published_number_of_tasks(shared: Path) -> None:
    samples = RoTBench().load(str(shared / "data" / "rotbench"))
    sizes = {(s.labels["turn"], s.labels["setting"]): 0 for s in samples}
    for sample in samples:
        sizes[sample.labels["turn"], sample.labels["setting"]] += 1
    assert sizes == {
        (turn, setting): count * (2 if setting in ("slight", "medium", "heavy") else 1)
        for turn, count in (("first", 105), ("third", 70))
        for setting in SETTINGS
    }
    third = next(s for s in samples if s.labels["turn"] == "third")
    assert [m["role"] for m in third.task.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
