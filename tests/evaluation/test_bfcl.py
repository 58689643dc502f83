"""BFCL: tasks in the published layout, played; answers judged by the checkers that lie beside them."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.commands.evaluate import group
from ftrl.errors import InputError
from ftrl.evaluation import BFCL, SuiteResults
from ftrl.evaluation.bfcl import CATEGORIES, BfclTask
from ftrl.evaluation.suite import Sample, Score, Transcript
from ftrl.rollouts import EpisodeSettings, ScriptedPolicy
from ftrl.sandbox import CallStatus, Sandbox
from tests.evaluation.chat_server import INSPECT, LEAN, ChatServer, calling, saying

CHECKER = """
from bfcl_eval.constants.enums import Language
from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING

def ast_checker(functions, calls, answer, language, category, model):
    assert MODEL_CONFIG_MAPPING[model].underscore_to_dot and language is Language.PYTHON
    if len(calls) != len(answer):
        return {"valid": False, "error": ["Wrong number of functions."], "error_type": "count"}
    for call, right in zip(calls, answer):
        name = next(iter(right)).replace(".", "_")
        if call != {name: {key: values[0] for key, values in next(iter(right.values())).items()}}:
            return {"valid": False, "error": ["Not", "that."], "error_type": "value"}
    return {"valid": True}
"""
RUNNING = """
import importlib

STATE = {}

def execute_multi_turn_func_call(calls, initial_config, involved_classes, model, entry_id, long_context=False):
    name = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code.math_api"
    counter = STATE.setdefault(model, importlib.import_module(name).MathAPI(initial_config["MathAPI"]["start"]))
    outputs = []
    for call in calls:
        try:
            outputs.append(str(eval("counter." + call)))
        except Exception as error:
            outputs.append(f"Error during execution: {error}")
    return outputs, {"MathAPI": counter}
"""
TURNS = """
from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call as run

def multi_turn_checker(turns, answer, entry, category, model):
    for steps, right in zip(turns, answer):
        for step in steps:
            run(step, entry["initial_config"], entry["involved_classes"], model, entry["id"])
        run(right, entry["initial_config"], entry["involved_classes"], model + "_truth", entry["id"])
        ours, theirs = (run([], entry["initial_config"], [], name, "")[1] for name in (model, model + "_truth"))
        if ours["MathAPI"].count != theirs["MathAPI"].count:
            return {"valid": False, "error_message": "another state"}
    return {"valid": True}
"""
CLASS = """
import mpmath

class MathAPI:
    def __init__(self, start):
        self.count = start

    def add(self, by):
        self.count += by
        return self.count

    def logarithm(self, value, base, precision):
        mpmath.mp.dps = precision
        return mpmath.log(value) / mpmath.log(base)
"""
ADD = {
    "name": "math.add",
    "description": "Adds.",
    "parameters": {
        "type": "dict",
        "properties": {"by": {"type": "float", "description": "How much."}},
        "required": ["by"],
    },
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The layout of the official package, with a benchmark of our own in it."""
    folder = tmp_path / "bfcl_eval"
    sources = {
        "constants/enums": 'from enum import Enum\nclass Language(Enum):\n    PYTHON = "python"\n    JAVA = "java"\n',
        "constants/type_mappings": "",
        "constants/executable_backend_config": "",
        "eval_checker/ast_eval/ast_checker": CHECKER,
        "eval_checker/ast_eval/type_convertor/java_type_converter": "",
        "eval_checker/ast_eval/type_convertor/js_type_converter": "",
        "eval_checker/multi_turn_eval/multi_turn_utils": RUNNING,
        "eval_checker/multi_turn_eval/multi_turn_checker": TURNS,
        "eval_checker/multi_turn_eval/func_source_code/math_api": CLASS,
    }
    for name, source in sources.items():
        (folder / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(source)
    one, two = ([{"role": "user", "content": text}] for text in ("Add two.", "And three."))
    rows = {
        "simple_python": {"id": "simple_python_0", "question": [one], "function": [ADD]},
        "irrelevance": {"id": "irrelevance_0", "question": [one], "function": [ADD]},
        "multi_turn_base": {
            "id": "multi_turn_base_0",
            "question": [one, two],
            "initial_config": {"MathAPI": {"start": 5}},
            "involved_classes": ["MathAPI"],
        },
    }
    answers = {
        "simple_python": {"id": "simple_python_0", "ground_truth": [{"math.add": {"by": [2]}}]},
        "multi_turn_base": {"id": "multi_turn_base_0", "ground_truth": [["add(by=2)"], ["add(by=3)"]]},
    }
    for place, of in (("data", rows), ("data/possible_answer", answers)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for category, row in of.items():
            (folder / place / f"BFCL_v4_{category}.json").write_text(json.dumps(row) + "\n")
    (folder / "data" / "multi_turn_func_doc").mkdir()
    (folder / "data" / "multi_turn_func_doc" / "math_api.json").write_text(json.dumps({**ADD, "name": "add"}) + "\n")
    return tmp_path


def call(name: str, /, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def played(
    path: str | Path, category: str, turns: Sequence[str], sandbox: Sandbox, max_turns: int = 21
) -> tuple[Transcript, Score]:
    suite = BFCL([category])
    (sample,) = suite.load(str(path))

    async def both() -> tuple[Transcript, Score]:
        settings = EpisodeSettings(max_turns=max_turns)
        transcript = await suite.play(sample, ScriptedPolicy(turns), sandbox, settings)
        return transcript, await suite.score(sample, transcript, sandbox)

    return asyncio.run(both())


@pytest.mark.parametrize(
    ("text", "right", "why"),
    [
        (call("math_add", by=2), 1.0, "the official checker accepts it"),
        (call("math_add", by=3), 0.0, "not accepted: Not that."),
        ("Two.", 0.0, "not accepted: Wrong number of functions."),
        ('<tool_call>{"name": "math_add", "arguments": [2]}</tool_call>', 0.0, None),
    ],
)
def test_the_checker_beside_the_data_judges_the_calls_of_a_turn(
    package: Path, one_sandbox: Sandbox, text: str, right: float, why: str | None
) -> None:
    transcript, score = played(package, "simple_python", [text], one_sandbox)
    assert (transcript.ending, score.metrics) == ("answered", {"accuracy": right})
    assert why in (None, score.explanation)


@pytest.mark.parametrize(("text", "right"), [("None of them helps.", 1.0), (call("math_add", by=2), 0.0)])
def test_where_no_tool_helps_calling_one_is_wrong(package: Path, one_sandbox: Sandbox, text: str, right: float) -> None:
    assert played(package, "irrelevance", [text], one_sandbox)[1].metrics == {"accuracy": right}


def test_a_conversation_goes_on_with_what_its_classes_return(package: Path, one_sandbox: Sandbox) -> None:
    turns = [call("add", by=1), call("add", by=1), "Done.", call("add", by=3), "Done."]
    transcript, score = played(package, "multi_turn_base", turns, one_sandbox)
    assert [c.output for c in transcript.calls] == ["6", "7", "10"]
    assert [m["role"][0] for m in transcript.messages] == list("uatatauata")
    assert score.metrics == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([call("add", by=2), "Done.", "Done."], "another state"),
        ([call("add", by=1)] * 3, "the conversation ended with max_turns"),
        ([call("subtract", by=2), "Done.", call("add", by=3), "Done."], "another state"),
        (['<tool_call>{"name": "add", "arguments": [2]}</tool_call>', call("add", by=3), "Done."], "another state"),
        ([call("__class__.__init__", start=2), "Done.", call("add", by=3), "Done."], "another state"),
    ],
)
def test_a_conversation_that_ends_elsewhere_is_wrong(
    package: Path, one_sandbox: Sandbox, turns: list[str], why: str
) -> None:
    score = played(package, "multi_turn_base", turns, one_sandbox, max_turns=3)[1]
    assert (score.metrics, score.explanation) == ({"accuracy": 0.0}, f"not accepted: {why}")


def test_names_that_are_none_call_nothing(package: Path, one_sandbox: Sandbox) -> None:
    turns = [call("__init__(5) or counter.add", by=2), "Done.", "Done."]
    transcript, _ = played(package, "multi_turn_base", turns, one_sandbox)
    assert transcript.calls[0].call_status is CallStatus.TOOL_ERROR
    assert "no_such_tool" in transcript.calls[0].output


def test_the_one_function_of_a_library_that_the_sandbox_lacks_has_a_stand_in(
    package: Path, one_sandbox: Sandbox
) -> None:
    turns = [call("logarithm", value=20, base=10, precision=4), "Done.", "Done."]
    transcript, _ = played(package, "multi_turn_base", turns, one_sandbox)
    assert transcript.calls[0].output == "mpf('1.301')"


def test_tools_are_shown_as_the_leaderboard_shows_them(package: Path) -> None:
    (sample,) = BFCL(["simple_python"]).load(str(package / "bfcl_eval"))
    (tool,) = sample.task.tools
    assert tool["function"]["name"] == "math_add"
    assert tool["function"]["description"] == "Adds. Note that the provided function is in Python 3 syntax."
    by = {"type": "number", "description": "How much. This is a float type value.", "format": "float"}
    assert tool["function"]["parameters"] == {"type": "object", "properties": {"by": by}, "required": ["by"]}


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_the_command_plays_it_with_a_provider(package: Path, server: ChatServer, tmp_path: Path, model: str) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        name = request["tools"][0]["function"]["name"]
        asked = request["messages"][-1]
        if asked["role"] == "tool":
            return saying("Done.")
        return calling((name, {"by": 2 if asked["content"] == "Add two." else 3}))

    server.answer = answer
    chosen = ("--category", "simple_python", "--category", "multi_turn_base", "--json")
    options = ("--model", model, "--base-url", server.url, "--out", str(tmp_path / "out"))
    result = CliRunner().invoke(group, ["bfcl", str(package), *options, *chosen])
    assert result.exit_code == 0, result.output
    results = SuiteResults.model_validate_json(result.stdout)
    assert {name: of["accuracy"].mean for name, of in results.by_label["category"].items()} == {
        "simple_python": 1.0,
        "multi_turn_base": 1.0,
    }


def test_what_is_missing_is_named(package: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`ftrl eval fetch bfcl` gets what is needed"):
        BFCL().load(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="there is no category 'live'; choose non_live, multi_turn, simple_python"):
        BFCL(["live"])
    file = package / "bfcl_eval" / "data" / "BFCL_v4_simple_python.json"
    file.write_text(file.read_text() + json.dumps({"id": "simple_python_0", "question": [], "function": [{}]}) + "\n")
    with pytest.raises(InputError, match=r"simple_python.json:2: field 'function'"):
        BFCL(["simple_python"]).load(str(package))


@pytest.fixture(scope="session")
def official() -> str:
    """The official package: where BFCL_EVAL says, or installed (``pip install --no-deps bfcl-eval``)."""
    found = importlib.util.find_spec("bfcl_eval")
    path = os.environ.get("BFCL_EVAL") or (found and found.origin and str(Path(found.origin).parent))
    if not path:
        pytest.skip("the official package bfcl_eval is not here; pip install --no-deps bfcl-eval")
    return path


def right_calls(task: BfclTask) -> str:
    """Of each published parameter the first value; "" marks one that may be left out."""

    def value(of: Any) -> Any:
        if isinstance(of, dict):
            return {key: value(values[0]) for key, values in of.items() if "" not in values}
        return [value(one) for one in of] if isinstance(of, list) else of

    required = {one["name"]: one["parameters"].get("required", []) for one in task.functions}
    calls = []
    for answer in task.answer:
        ((name, parameters),) = answer.items()
        given = {
            key: next(value(one) for one in values if one != "")
            for key, values in parameters.items()
            if key in required[name] or "" not in values
        }
        calls.append(call(name.replace(".", "_"), **given))
    return "\n".join(calls)


def right_turns(task: BfclTask) -> list[str]:
    """The published calls, a step each."""
    turns = []
    for turn in task.answer:
        for text in turn:
            node = ast.parse(text, mode="eval").body
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Name)
            (document,) = [one for one in task.functions if one["name"] == node.func.id]
            arguments = dict(zip(document["parameters"]["properties"], map(ast.literal_eval, node.args), strict=False))
            arguments.update({str(key.arg): ast.literal_eval(key.value) for key in node.keywords})
            turns.append(call(node.func.id, **arguments))
        turns.append("Done.")
    return turns


@pytest.mark.parametrize("category", [c for c in CATEGORIES if c not in ("simple_java", "simple_javascript")])
def test_the_official_checker_accepts_its_own_answers_through_ours(
    official: str, category: str, one_sandbox: Sandbox
) -> None:
    suite = BFCL([category])
    samples = suite.load(official)[::20]
    refused = {}

    async def play(sample: Sample[BfclTask]) -> None:
        task = sample.task
        turns = right_turns(task) if task.is_multi_turn else [right_calls(task) or "None of them helps."]
        transcript = await suite.play(sample, ScriptedPolicy(turns), one_sandbox, suite.settings)
        score = await suite.score(sample, transcript, one_sandbox)
        if not score.metrics["accuracy"]:
            refused[sample.id] = score.explanation

    async def play_all() -> None:
        for sample in samples:
            await play(sample)

    asyncio.run(play_all())
    assert refused == {}


def test_it_is_a_task_of_inspects_too(package: Path, server: ChatServer, tmp_path: Path) -> None:
    import inspect_ai
    from inspect_ai.model import get_model

    from ftrl.evaluation.inspect_tasks import bfcl

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked = request["messages"][-1]
        if asked["role"] == "tool":
            return saying("Done.")
        return calling((request["tools"][0]["function"]["name"], {"by": 2 if asked["content"] == "Add two." else 4}))

    server.answer = answer
    task = bfcl(str(package), categories="simple_python,multi_turn_base")
    model = get_model(INSPECT, base_url=server.url)
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert log.results is not None
    (score,) = log.results.scores
    assert {of.name: of.value for of in score.metrics.values()} == {
        "mean": 0.5,
        "stderr": 0.5,
        "simple_python": 1.0,
        "multi_turn_base": 0.0,
        "mean_by_category": 0.5,
    }
