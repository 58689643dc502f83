"""Our benchmarks as Inspect runs them: by its own command, with its own logs, and with the scores of ``ftrl eval``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from inspect_ai import Task
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from inspect_ai.model import get_model

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, source_id
from ftrl.evaluation import EvalConfig, evaluate
from ftrl.evaluation.inspect_playing import score
from ftrl.evaluation.inspect_tasks import ftrl_test, rotbench, tau_bench, toolhop
from ftrl.evaluation.stored import open_run
from ftrl.rollouts import EngineSettings, EpisodeKey, EpisodeSettings, ProviderSettings, ScriptedPolicy, run_episode
from ftrl.sandbox import Sandbox
from tests.evaluation.chat_server import INSPECT, LEAN, ChatServer, calling, saying

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "def capital_of(country):\n    return {'Atlantis': 'Poseidonis', 'Lemuria': 'Ram'}[country]\n"
GOLDS = (Gold(tool="capital_of", value="Poseidonis"), Gold(tool="capital_of", value="Ram"))


def environment(number: int, scenario: Scenario) -> Environment:
    parameters = {"type": "object", "properties": {"country": {"type": "string"}}, "required": ["country"]}
    function = {"name": "capital_of", "description": "A capital.", "parameters": parameters}
    return Environment(
        scenario=scenario,
        question=f"Question {number}: what are the capitals of Atlantis and Lemuria?",
        answer="Poseidonis, Ram",
        tools=({"type": "function", "function": function},),
        implementations={"capital_of": source_id(SOURCE)},
        golds=GOLDS,
    )


ENVIRONMENTS = [environment(n, s) for n, s in enumerate([Scenario.SINGLE_HOP, Scenario.SINGLE_HOP, Scenario.MULTI_HOP])]


@pytest.fixture
def tasks(tmp_path: Path) -> str:
    with EnvironmentStore.create(str(tmp_path / "tasks")) as writer:
        for one in ENVIRONMENTS:
            writer.add(one, {"capital_of": SOURCE})
    return str(tmp_path / "tasks")


def answering(request: dict[str, Any]) -> dict[str, Any]:
    """Task 0: both capitals; task 1: one of them, after a wrong call; task 2: no call at all."""
    question = next(m["content"] for m in request["messages"] if m["role"] == "user")
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    scripts = {
        "0": [calling(("capital_of", {"country": "Atlantis"}), ("capital_of", {"country": "Lemuria"}))],
        "1": [calling(("capital_of", {"country": "Mu"})), calling(("capital_of", {"country": "Lemuria"}), text="So.")],
        "2": [],
    }
    script = scripts[question[len("Question ")]]
    return script[turn] if turn < len(script) else saying("That is it.")


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which ftrl is installed with what pyproject.toml says now."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site-packages" / "ftrl-0.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ftrl\nVersion: 0.0.0\n")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in entries.items()) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    direct = {"url": ROOT.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(direct))
    path = os.pathsep.join([str(info.parent), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path, "OPENAI_API_KEY": "a-key"}


def inspect(environment: dict[str, str], logs: Path, *arguments: str, command: str = "eval") -> EvalLog:
    """What ``inspect eval`` writes into its log."""
    line = [sys.executable, "-m", "inspect_ai", command, *arguments, "--log-dir", str(logs), "--display", "plain"]
    done = subprocess.run(line, env=environment, cwd=logs.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = list_eval_logs(str(logs))
    return read_eval_log(log)


def evaluated(task: Task, server: ChatServer, logs: Path, **more: Any) -> EvalLog:
    """The same in this process."""
    model = get_model(INSPECT, base_url=server.url)
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(logs), display="none", **more)
    return read_eval_log(log.location)


def figures(log: EvalLog) -> dict[str, dict[str, float]]:
    assert log.results is not None
    return {one.name: {m.name: m.value for m in one.metrics.values()} for one in log.results.scores}


def test_inspect_eval_gives_the_scores_of_ftrl_eval(
    tasks: str, server: ChatServer, installed: dict[str, str], tmp_path: Path
) -> None:
    server.answer = answering
    base = ("--model", INSPECT, "--model-base-url", server.url)
    log = inspect(installed, tmp_path / "logs", "ftrl/ftrl_test", *base, "-T", f"path={tasks}")
    config = EvalConfig(
        tasks=tasks,
        model=INSPECT,
        out=str(tmp_path / "eval"),
        provider=ProviderSettings(base_url=server.url),
        engine=EngineSettings(sandbox_workers=1),
    )
    ours = evaluate(config, display=False)
    assert log.status == "success"
    assert log.eval.task == "ftrl/ftrl_test"
    assert log.samples is not None
    for metric in ("f1", "precision", "recall"):
        theirs = {str(s.id): s.scores["ftrl_score"].value[metric] for s in log.samples}  # type: ignore[index,call-overload]
        assert {id_: [value] for id_, value in theirs.items()} == open_run(config.out).scores(metric)
        assert figures(log)[metric]["mean"] == pytest.approx(getattr(ours.overall, metric))
        assert figures(log)[metric]["single_hop"] == pytest.approx(getattr(ours.scenarios["single_hop"], metric))
        assert figures(log)[metric]["mean_by_scenario"] == pytest.approx(getattr(ours.macro, metric))
    assert ours.overall.f1 == pytest.approx((1 + 0.5 + 0) / 3)


def test_a_log_shows_calls_results_and_why_the_score_is_what_it_is(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = answering
    log = evaluated(ftrl_test(tasks), server, tmp_path, epochs=2)
    assert log.samples is not None
    assert len(log.samples) == 6
    sample = next(s for s in log.samples if "Question 1" in str(s.input))
    assert [message.role for message in sample.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert sample.messages[4].text == "Ram"
    assert sample.target == ["capital_of: Poseidonis", "capital_of: Ram"]
    assert sample.output.completion == "That is it."
    found = (sample.scores or {})["ftrl_score"]
    assert found.explanation == "2 calls brought back 1 of 2 answers; missing are those of capital_of"
    assert (found.metadata or {})["failed_calls"] == {"tool_error": 1}


def test_what_the_provider_refuses_is_a_samples_error_and_in_no_score(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any] | int:
        return 400 if "Question 2" in json.dumps(request["messages"]) else answering(request)

    server.answer = answer
    log = evaluated(ftrl_test(tasks), server, tmp_path)
    assert log.samples is not None
    (broken,) = [sample for sample in log.samples if sample.error is not None]
    assert "Question 2" in str(broken.input)
    assert not broken.scores
    assert figures(log)["f1"]["mean"] == pytest.approx((1 + 0.5) / 2)


def test_an_episode_that_one_of_inspects_limits_ends_earns_nothing(
    tasks: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = answering
    log = evaluated(ftrl_test(tasks), server, tmp_path, token_limit=150)  # a turn takes 110
    assert log.samples is not None
    assert {str(s.input)[9]: s.limit is not None for s in log.samples} == {"0": True, "1": True, "2": False}
    assert figures(log)["precision"]["mean"] == pytest.approx(1 / 3)


def test_a_log_is_scored_anew_without_a_model(tasks: str, server: ChatServer, tmp_path: Path) -> None:
    server.answer = answering
    log = evaluated(ftrl_test(tasks), server, tmp_path)
    asked = len(server.requests)
    again = inspect_ai.score(log, score("ftrl-test", tasks, {"profile": "strict"}), action="overwrite", display="none")
    assert len(server.requests) == asked
    # As by reference, but that an episode without a call has no precision.
    assert figures(again)["precision"]["mean"] == pytest.approx(figures(log)["precision"]["mean"] - 1 / 3)


SCRIPT = """
import sys
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

def say(messages, tools, choice, config):
    output = ModelOutput.from_content("mockllm", "I can't tell.")
    if len(messages) == 1:
        output = ModelOutput.for_tool_call("mockllm", tools[0].name, {"country": "Lemuria"})
    output.usage = ModelUsage()
    return output

model = get_model("mockllm/model", custom_outputs=say)
eval("ftrl/ftrl_test", model=model, task_args={"path": sys.argv[1]}, log_dir=sys.argv[2], display="none")
"""


def test_inspects_scripted_model_earns_what_a_script_of_ours_earns(
    tasks: str, installed: dict[str, str], tmp_path: Path, one_sandbox: Sandbox
) -> None:
    logs = tmp_path / "logs"
    subprocess.run([sys.executable, "-c", SCRIPT, tasks, str(logs)], env=installed, cwd=tmp_path, check=True)
    (file,) = list_eval_logs(str(logs))
    call = '<tool_call>{"name": "capital_of", "arguments": {"country": "Lemuria"}}</tool_call>'
    script = ScriptedPolicy([call, "I can't tell."])
    sources = {"capital_of": SOURCE}
    episode = run_episode(ENVIRONMENTS[0], sources, script, one_sandbox, EpisodeSettings(), EpisodeKey("run"))
    ours = asyncio.run(episode).metrics[0]
    for metric in ("f1", "precision", "recall"):
        assert figures(read_eval_log(file))[metric]["mean"] == pytest.approx(getattr(ours, metric))
    assert ours.f1 == pytest.approx(2 / 3)


def test_inspects_default_model_calls_nothing_and_earns_no_recall(
    tasks: str, installed: dict[str, str], tmp_path: Path
) -> None:
    import tiktoken
    from requests import RequestException

    try:
        tiktoken.get_encoding("o200k_base")
    except RequestException:
        pytest.skip("Inspect's mockllm counts tokens with a table that it downloads, and there is no network here")
    log = inspect(installed, tmp_path / "logs", "ftrl/ftrl_test", "--model", "mockllm/model", "-T", f"path={tasks}")
    assert (figures(log)["recall"]["mean"], figures(log)["precision"]["mean"]) == (0.0, 1.0)


def test_rotbench_is_a_task_of_inspects_the_third_turn_included(server: ChatServer, tmp_path: Path) -> None:
    right = 'Thought:\nAction: pour\nAction Input: {"kind": "green"}'
    system = "Tools:\n" + json.dumps([{"name": name} for name in ("pour", "ask_to_user", "finish")])
    before = [("user", "Tea!"), ("assistant", "Action: pour"), ("function", "which?")]
    rows = [
        {"conversations": [{"from": w, "value": v} for w, v in parts], "scenario": "PL"}
        for parts in ([("system", system), *before, ("assistant", [right])],)
    ]
    file = tmp_path / "Third_Turn" / "heavy.json"
    file.parent.mkdir()
    file.write_text(json.dumps(rows))
    server.answer = lambda request: saying(right)
    log = evaluated(rotbench(str(file)), server, tmp_path)
    assert figures(log)["official_cf"]["heavy"] == 1.0
    assert [m["role"] for m in server.requests[0]["messages"][1:]] == ["user", "assistant", "user"]
    assert log.samples is not None
    assert log.samples[0].id == "third/heavy/0"


def test_toolhop_and_tau_bench_are_tasks_of_inspects(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}
    row = {
        "question": "What is it?",
        "answer": "13",
        "sub_task": {"Sum?": "13"},
        "tools": {"Sum?": schema},
        "functions": ["def add():\n    return 13\n"],
    }
    (tmp_path / "ToolHop.json").write_text(json.dumps([row]))
    server.answer = lambda request: (
        saying("<answer>13</answer>") if len(request["messages"]) > 1 else calling(("add", {}))
    )
    log = evaluated(toolhop(str(tmp_path / "ToolHop.json")), server, tmp_path)
    assert {name: of["mean"] for name, of in figures(log).items()} == {"ftrl": 1, "official": 1, "strict": 1}

    retail = tmp_path / "tau-bench" / "retail"
    retail.mkdir(parents=True)
    source = "def cancel(data):\n    data['orders']['1'] = 'cancelled'\n    return 'done'\n"
    tool = {"type": "function", "function": {**schema, "name": "cancel"}}
    files = {"orders": {"1": "open"}, "products": {}, "users": {}, "tools": [tool], "codes": {"cancel": source}}
    for name, content in files.items():
        (retail / f"{name}.json").write_text(json.dumps(content))
    (retail / "wiki.md").write_text("Serve customers.")
    action = {"function": {"name": "cancel", "arguments": "{}"}}
    customer = {"instruction": "Cancel it.", "actions": [action], "outputs": [], "data_source": "tau-bench/retail"}
    (tmp_path / "tau-bench.jsonl").write_text(json.dumps(customer) + "\n")

    def serve(request: dict[str, Any]) -> dict[str, Any]:
        messages = request["messages"]
        if "You are a user" in messages[0]["content"]:
            return saying("Cancel it, please." if len(messages) == 2 else "###STOP###")
        return calling(("cancel", {})) if messages[-1]["role"] == "user" else saying("It is cancelled.")

    server.answer = serve
    monkeypatch.setenv("LOCAL_BASE_URL", server.url)
    monkeypatch.setenv("LOCAL_API_KEY", "none")
    log = evaluated(tau_bench(str(tmp_path), user_model=LEAN, mode="ftrl", domains="retail"), server, tmp_path)
    assert figures(log)["reward"]["mean"] == 1.0
    assert (log.eval.metadata or {})["variant"] == {"mode": "ftrl"}


def test_missing_data_is_told_by_inspect_too(installed: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inspect_ai", "eval", "ftrl/rotbench", "--model", "mockllm/model"]
    command += ["-T", f"path={tmp_path / 'none'}", "--log-dir", str(tmp_path / "logs")]
    done = subprocess.run(command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "there is no RoTBench data here; `ftrl eval fetch rotbench`" in " ".join((done.stdout + done.stderr).split())


def test_inspect_plays_again_what_failed_and_asks_for_nothing_else(
    tasks: str, server: ChatServer, installed: dict[str, str], tmp_path: Path
) -> None:
    def refusing(request: dict[str, Any]) -> dict[str, Any] | int:
        return 400 if "Question 2" in json.dumps(request["messages"]) else answering(request)

    server.answer = refusing
    base = ("--model", INSPECT, "--model-base-url", server.url, "-T", f"path={tasks}")
    log = inspect(installed, tmp_path / "logs", "ftrl/ftrl_test", *base)
    assert [sample.error is not None for sample in log.samples or ()].count(True) == 1
    server.answer = answering
    server.requests.clear()
    log = inspect(installed, tmp_path / "retried", log.location, command="eval-retry")
    assert [sample.error for sample in log.samples or ()] == [None] * 3
    assert figures(log)["f1"]["mean"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert ["Question 2" in json.dumps(request["messages"]) for request in server.requests] == [True]
