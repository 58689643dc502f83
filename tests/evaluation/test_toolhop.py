"""ToolHop: rows in the published format, episodes with tools from the row, and three rules for an answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.evaluation.suite import Sample, Transcript
from ftrl.evaluation.toolhop import ToolHop, ToolHopTask, score_answer
from ftrl.rollouts import ScriptedPolicy
from ftrl.sandbox import CallStatus, Sandbox

BIRTH, SUM = "When was the baker of Brookfield born?", "What is the sum of the digits of that year?"

SOURCES = [
    """
def birth_year(name, place="Brookfield"):
    from collections import defaultdict

    years = defaultdict(lambda: "not known", {"baker": 1912})
    return {"year": years[name]}

# Example usage
print(birth_year("baker"))
""",
    "def digit_sum(number):\n    return sum(map(int, str(number)))\n",
]


def row(**changes: Any) -> dict[str, Any]:
    def schema(name: str, parameter: str) -> dict[str, Any]:
        parameters = {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
        return {"name": name, "description": name, "parameters": parameters}

    return {
        "id": 7,
        "question": "What is the sum of the digits of the year in which the baker of Brookfield was born?",
        "answer": "13",
        "sub_task": {BIRTH: "1912", SUM: "13"},
        "tools": {BIRTH: schema("birth_year", "name"), SUM: schema("digit_sum", "number")},
        "functions": SOURCES,
        "domain": "History",
        "answer_type": "number",
        **changes,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ToolHop.json"
    path.write_text(json.dumps([row()]))
    return path


def call(name: str, /, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def played(file: Path, sandbox: Sandbox, turns: list[str], scenario: str = "mandatory") -> Transcript:
    suite = ToolHop(scenario)
    return asyncio.run(suite.play(suite.load(str(file))[0], ScriptedPolicy(turns), sandbox, suite.settings))


def test_a_row_is_read_with_its_tools_sources_and_the_answers_on_the_way(file: Path) -> None:
    sample: Sample[ToolHopTask] = ToolHop().load(str(file))[0]
    task = sample.task
    assert (sample.id, task.answer, sample.labels) == ("7", "13", {"scenario": "mandatory"})
    assert [tool["function"]["name"] for tool in task.environment.tools] == ["birth_year", "digit_sum"]
    assert task.sources["birth_year"] == SOURCES[0]
    assert [(gold.tool, gold.value) for gold in task.environment.golds] == [("birth_year", "1912"), ("digit_sum", "13")]


def test_both_published_spellings_of_the_file_are_read(file: Path, tmp_path: Path) -> None:
    lines = tmp_path / "ToolHop.jsonl"
    lines.write_text(json.dumps(row(functions={"birth_year": SOURCES[0], "digit_sum": SOURCES[1]})) + "\n")
    assert ToolHop().load(str(lines)) == ToolHop().load(str(file))


def test_tools_run_in_the_sandbox_and_the_right_answer_is_right_by_every_rule(file: Path, one_sandbox: Sandbox) -> None:
    turns = [call("birth_year", name="baker"), call("digit_sum", number="1912"), "<answer>13</answer>"]
    transcript = played(file, one_sandbox, turns)
    assert [made.output for made in transcript.calls] == ['{"year": 1912}', "13"]
    assert transcript.ending == "answered"
    score = score_answer(transcript, "13")
    assert score.metrics == {"ftrl": 1, "official": 1, "strict": 1}
    assert score.explanation == "answered '13', right is '13'"


def test_a_tool_that_fails_says_so_as_published(file: Path, one_sandbox: Sandbox) -> None:
    transcript = played(file, one_sandbox, [call("digit_sum", number="x"), call("fly"), "<answer>0</answer>"])
    assert [made.call_status for made in transcript.calls] == [CallStatus.TOOL_ERROR] * 2
    assert transcript.calls[1].output == "an error occured when call fly: 'fly'"


def test_direct_offers_no_tools_and_frames_the_question_as_published(file: Path, one_sandbox: Sandbox) -> None:
    suite = ToolHop("direct")
    sample = suite.load(str(file))[0]
    transcript = asyncio.run(suite.play(sample, ScriptedPolicy(["<answer>13</answer>"]), one_sandbox, suite.settings))
    asked = transcript.messages[0]["content"]
    assert sample.task.environment.tools == ()
    assert asked.startswith("You will be asked a question, and should provide a short answer.\n")
    assert asked.endswith("Answer as short as possible.\nQuestion: " + row()["question"])


@pytest.mark.parametrize(
    ("said", "tool", "answer", "ftrl", "official", "strict"),
    [
        ("<answer>Ada Lovelace</answer>", None, "Ada Lovelace", 1, 1, 1),
        ("<answer>in the year 1912</answer>", None, "1912", 1, 1, 1),
        ("It is 1912.", None, "1912", 1, 1, 0),
        # The last tool output holds it, and the model does not say it.
        ("<answer>no idea</answer>", '{"year": 1912}', "1912", 1, 1, 0),
        ("", '{"year": 1912}', "1912", 0, 0, 0),
        # Inside a longer number.
        ("<answer>21912</answer>", None, "1912", 1, 1, 0),
        # Zeros are cut off by the official rule: 100 is 1.
        ("<answer>17</answer>", None, "100", 0, 1, 0),
        ("<answer>6,300</answer>", None, "6300", 1, 1, 1),
        ("<answer>1 2 3 4 5 6 7 8 9 10 11 12 13</answer>", None, "13", 1, 1, 0),
        ("<think><answer>13</answer></think><answer>14</answer>", None, "13", 1, 1, 0),
        ("<think><answer>13</answer></think>I don't know.", None, "13", 1, 1, 0),
        ("<think>So it is <answer>13</answer>", None, "13", 1, 1, 0),
        ("<answer>13</answer><answer>14</answer>", None, "13", 1, 1, 0),
        ("<answer>14</answer>", None, "13", 0, 0, 0),
    ],
)
def test_an_answer_is_judged_by_each_rule(
    said: str, tool: str | None, answer: str, ftrl: int, official: int, strict: int
) -> None:
    before = [{"role": "user", "content": "?"}, *([{"role": "tool", "content": tool}] if tool else [])]
    transcript = Transcript(messages=(*before, {"role": "assistant", "content": said}), ending="answered")
    score = score_answer(transcript, answer)
    assert score.metrics == {"ftrl": ftrl, "official": official, "strict": strict}
    assert ("found it in the last texts" in score.explanation) == (max(ftrl, official) > strict)


def test_an_episode_whose_last_word_is_a_tools_is_not_answered(file: Path, one_sandbox: Sandbox) -> None:
    transcript = played(file, one_sandbox, [call("digit_sum", number="1912")] * 9)
    score = score_answer(transcript, "13")
    assert (transcript.ending, set(score.metrics.values())) == ("max_turns", {0.0})
    assert score.explanation == "no answer: the episode ended with max_turns"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"question": None}, "question"),
        ({"answer": ["13"]}, "answer"),
        ({"tools": [1]}, "tools"),
        ({"sub_task": "13"}, "sub_task"),
        ({"functions": "def f(): pass"}, "functions"),
        ({"functions": SOURCES[:1]}, "functions"),
    ],
)
def test_a_broken_row_is_refused_with_file_row_and_field(file: Path, changes: dict[str, Any], field: str) -> None:
    file.write_text(json.dumps([row(), row(**changes)]))
    with pytest.raises(InputError, match=rf"ToolHop.json:2: field '{field}'"):
        ToolHop().load(str(file))


def test_a_missing_file_is_refused_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`ftrl eval fetch toolhop` gets it"):
        ToolHop().load(str(tmp_path / "ToolHop.json"))


def test_a_scenario_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="direct, mandatory, free"):
        ToolHop("guess")
