"""``ftrl eval rotbench | tau-bench | toolhop`` with providers' models: what is played, kept, listed and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ftrl.commands.evaluate import group
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation import SuiteResults
from ftrl.evaluation.evaluating import evaluate_suite
from ftrl.evaluation.running import read_episodes
from ftrl.evaluation.settings import SuiteConfig
from ftrl.rollouts import EngineSettings, ProviderSettings
from tests.evaluation.chat_server import INSPECT, LEAN, ChatServer, calling, saying

RIGHT = 'Thought:\nAction: pour\nAction Input: {"kind": "green"}'
WRONG = 'Thought:\nAction: pour\nAction Input: {"kind": "black"}'


def rotbench_row(question: str, *, later: bool = False) -> dict[str, Any]:
    system = "Tools:\n" + json.dumps([{"name": name} for name in ("pour", "ask_to_user", "finish")])
    before = [("assistant", WRONG), ("function", "no black tea"), ("assistant", WRONG), ("function", "still none")]
    parts = [("system", system), ("user", question), *(before if later else []), ("assistant", [RIGHT])]
    return {"conversations": [{"from": who, "value": value} for who, value in parts], "scenario": "PL"}


@pytest.fixture
def rotbench(tmp_path: Path) -> str:
    for folder, setting, rows in (
        ("First_Turn", "clean", [rotbench_row("a"), rotbench_row("b")]),
        ("First_Turn", "heavy", [rotbench_row("c"), rotbench_row("d")]),
        ("Third_Turn", "clean", [rotbench_row("e", later=True)]),
    ):
        file = tmp_path / "data" / folder / f"{setting}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(rows))
    return str(tmp_path / "data")


@pytest.fixture
def toolhop(tmp_path: Path) -> str:
    def schema(name: str, parameter: str) -> dict[str, Any]:
        properties = {parameter: {"type": "string"}}
        return {"name": name, "description": name, "parameters": {"type": "object", "properties": properties}}

    row = {
        "id": 7,
        "question": "What is the sum of the digits of the year in which the baker was born?",
        "answer": "13",
        "sub_task": {"When?": "1912", "Sum?": "13"},
        "tools": {"When?": schema("birth_year", "name"), "Sum?": schema("digit_sum", "number")},
        "functions": [
            "def birth_year(name):\n    return {'baker': 1912}[name]\n",
            "def digit_sum(number):\n    return sum(map(int, str(number)))\n",
        ],
    }
    path = tmp_path / "ToolHop.json"
    path.write_text(json.dumps([row]))
    return str(path)


@pytest.fixture
def tau_bench(tmp_path: Path) -> str:
    retail = tmp_path / "tau-bench" / "retail"
    retail.mkdir(parents=True)
    source = (
        "def cancel_order(data, order_id):\n    data['orders'][order_id]['status'] = 'cancelled'\n    return 'done'\n"
    )
    parameters = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    tool = {"name": "cancel_order", "description": "Cancels.", "parameters": parameters}
    files = {
        "orders": {"1": {"status": "pending"}, "2": {"status": "pending"}},
        "products": {},
        "users": {},
        "tools": [{"type": "function", "function": tool}],
        "codes": {"cancel_order": source},
    }
    for name, content in files.items():
        (retail / f"{name}.json").write_text(json.dumps(content))
    (retail / "wiki.md").write_text("Serve customers.")
    action = {"function": {"name": "cancel_order", "arguments": '{"order_id": "1"}'}}
    row = {"instruction": "Cancel order 1.", "actions": [action], "outputs": [], "data_source": "tau-bench/retail"}
    (tmp_path / "tau-bench.jsonl").write_text(json.dumps(row) + "\n")
    return str(tmp_path / "tau-bench.jsonl")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, list(arguments))


def results_of(out: Path) -> SuiteResults:
    return SuiteResults.model_validate_json((out / "results.json").read_text())


def right_answer(request: dict[str, Any]) -> dict[str, Any]:
    return saying(RIGHT)


def solving_toolhop(request: dict[str, Any]) -> dict[str, Any]:
    turns = [
        calling(("birth_year", {"name": "baker"})),
        calling(("digit_sum", {"number": "1912"})),
        saying("<answer>13</answer>"),
    ]
    return turns[sum(message["role"] == "assistant" for message in request["messages"])]


def serving(request: dict[str, Any]) -> dict[str, Any]:
    """Plays the customer and the agent, who makes two calls at once first and is then told to make one at a time."""
    messages = request["messages"]
    if "You are a user" in messages[0]["content"]:
        return saying("Cancel order 1, please." if len(messages) == 2 else "###STOP###")
    if messages[-1]["role"] == "user":
        return calling(("cancel_order", {"order_id": "1"}), ("cancel_order", {"order_id": "2"}))
    return saying("It is cancelled.")


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_rotbench_is_played_scored_and_stored_for_compare_and_table(
    rotbench: str, server: ChatServer, tmp_path: Path, model: str
) -> None:
    server.answer = right_answer
    out = tmp_path / "out"
    result = run("rotbench", rotbench, "--model", model, "--base-url", server.url, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"rotbench: {model}" in result.stdout
    assert "turn: third" in result.stdout
    assert results_of(out).metrics["official_cf"].mean == 1.0
    assert results_of(out).metrics["official_cf"].tasks == 5
    assert (out / "table.txt").read_text() == result.stdout
    compared = run("compare", str(out), str(out), "--json")
    assert json.loads(compared.stdout)["difference"] == 0
    assert "100.00 ±" in run("table", str(out)).stdout


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_the_third_turn_is_played_after_what_the_others_said_and_heard(
    rotbench: str, server: ChatServer, tmp_path: Path, model: str
) -> None:
    server.answer = right_answer
    third = f"{rotbench}/Third_Turn/clean.json"
    run("rotbench", third, "--model", model, "--base-url", server.url, "--out", str(tmp_path / "out"))
    (request,) = server.requests
    assert [(m["role"].replace("developer", "system"), m["content"]) for m in request["messages"][1:]] == [
        ("user", "e"),
        ("assistant", WRONG),
        ("user", "no black tea"),
        ("assistant", WRONG),
        ("user", "still none"),
    ]
    assert results_of(tmp_path / "out").by_label["turn"]["third"]["official_cf"].mean == 1.0


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_toolhop_runs_its_tools_and_prints_json(toolhop: str, server: ChatServer, tmp_path: Path, model: str) -> None:
    server.answer = solving_toolhop
    options = ["--model", model, "--base-url", server.url, "--out", str(tmp_path / "out"), "--price", "1,10"]
    result = run("toolhop", toolhop, *options, "--json")
    assert result.exit_code == 0, result.output
    results = SuiteResults.model_validate_json(result.stdout)
    assert {name: figure.mean for name, figure in results.metrics.items()} == {"ftrl": 1, "official": 1, "strict": 1}
    assert (results.usage["model"].input, results.usage["model"].output) == (300, 30)
    assert results.usage["model"].usd == pytest.approx(0.0006)
    assert results.run.settings.max_turns == 9
    (episode,) = read_episodes(str(tmp_path / "out"))
    assert [call.output for call in episode.transcript.calls] == ["1912", "13"]


@pytest.mark.parametrize("model", [LEAN, INSPECT])
@pytest.mark.parametrize("mode", ["official", "ftrl"])
def test_tau_bench_is_played_with_a_model_as_the_customer(
    tau_bench: str, server: ChatServer, tmp_path: Path, model: str, mode: str
) -> None:
    server.answer = serving
    out = tmp_path / "out"
    options = ["--model", model, "--base-url", server.url, "--user-model", LEAN, "--user-base-url", server.url]
    result = run("tau-bench", tau_bench, *options, "--mode", mode, "--trials", "2", "--out", str(out))
    assert result.exit_code == 0, result.output
    results = results_of(out)
    assert (results.metrics["reward"].mean, results.run.variant) == (1.0, {"mode": mode, "user": LEAN})
    assert set(results.pass_hat_k) == {1, 2}
    assert results.usage["user"].output == 40
    assert "user took 400 tokens read, 40 generated" in result.stdout
    lines = [r for r in server.requests if "You are a user" in r["messages"][0]["content"]]
    assert [m["role"] for m in lines[-1]["messages"]] == ["system", "user", "assistant", "user"]
    assert {r["temperature"] for r in lines} == {1.0}


def test_of_two_calls_at_once_tau_bench_makes_the_first_and_answers_both(
    tau_bench: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = serving
    options = ["--model", LEAN, "--base-url", server.url, "--user-model", LEAN, "--user-base-url", server.url]
    run("tau-bench", tau_bench, *options, "--out", str(tmp_path / "out"))
    (episode,) = read_episodes(str(tmp_path / "out"))
    assert [json.loads(call.arguments) for call in episode.transcript.calls] == [{"order_id": "1"}]
    history = next(r for r in server.requests if r["messages"][-1]["role"] == "tool")["messages"]
    answered = [(m["tool_call_id"], m["content"]) for m in history if m["role"] == "tool"]
    assert answered == [("theirs-0", "done"), ("theirs-1", "Not made: one call at a time.")]


def test_what_the_provider_refuses_is_listed_not_scored_and_played_by_the_next_run(
    rotbench: str, server: ChatServer, tmp_path: Path
) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any] | int:
        return 400 if request["messages"][1]["content"] == "d" else saying(RIGHT)

    server.answer = answer
    out = tmp_path / "out"
    arguments = ("rotbench", rotbench, "--model", LEAN, "--base-url", server.url, "--out", str(out))
    result = run(*arguments)
    assert isinstance(result.exception, FtrlError)
    assert result.exception.exit_code == 1
    assert "1 of 5 episodes were not played and are in no figure" in str(result.exception)
    assert "Run the command again to go on" in str(result.exception)
    assert "not run: first/heavy/1/0: openai-api/local/scripted refuses a request: 400" in result.stdout
    assert (results_of(out).metrics["ftrl_cf"].tasks, results_of(out).metrics["ftrl_cf"].mean) == (4, 1.0)
    assert f"{out}: 1 of 5 episodes were not played and are in no figure" in run("table", str(out)).stderr
    server.answer, server.requests[:] = right_answer, []
    assert run(*arguments).exit_code == 0
    assert len(server.requests) == 1
    assert results_of(out).metrics["ftrl_cf"].tasks == 5


def config(tasks: str, server: ChatServer, out: Path, **more: Any) -> SuiteConfig:
    values: dict[str, Any] = {
        "suite": "rotbench",
        "model": LEAN,
        "provider": ProviderSettings(base_url=server.url, retries=0, price_input=1.0, price_output=10.0),
        "engine": EngineSettings(episodes_in_flight=1, sandbox_workers=1),
        **more,
    }
    return SuiteConfig(tasks=tasks, out=str(out), **values)


def test_an_episode_that_fails_once_through_the_provider_is_played_again_at_once(
    rotbench: str, server: ChatServer, tmp_path: Path
) -> None:
    asked: Counter[str] = Counter()

    def answer(request: dict[str, Any]) -> dict[str, Any] | int:
        question = request["messages"][1]["content"]
        asked[question] += 1
        return 503 if (question, asked[question]) == ("b", 1) else saying(RIGHT)

    server.answer = answer
    results = evaluate_suite(config(rotbench, server, tmp_path / "out"), display=False)
    assert (results.not_run, results.metrics["ftrl_cf"].tasks, asked["b"]) == ({}, 5, 2)


def test_a_provider_that_is_down_ends_the_run_soon(server: ChatServer, tmp_path: Path) -> None:
    server.answer = lambda request: 503
    file = tmp_path / "clean.json"
    file.write_text(json.dumps([rotbench_row(str(number)) for number in range(50)]))
    with pytest.raises(FtrlError, match=r"20 attempts in a row.*503.*run the command again"):
        evaluate_suite(config(str(file), server, tmp_path / "out"), display=False)
    assert 20 <= len(server.requests) <= 22
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_budget_ends_the_run_and_a_larger_one_goes_on(rotbench: str, server: ChatServer, tmp_path: Path) -> None:
    server.answer = right_answer
    out = tmp_path / "out"
    # One answer takes 100 tokens at $1 and 10 at $10 a million.
    results = evaluate_suite(config(rotbench, server, out, budget_usd=0.0003), display=False)
    assert len(server.requests) == 2
    assert list(results.not_run.values()) == ["not begun: the budget is spent"] * 3
    evaluate_suite(config(rotbench, server, out, budget_usd=0.0005), display=False)
    assert len(server.requests) == 3
    assert evaluate_suite(config(rotbench, server, out, budget_usd=1.0), display=False).not_run == {}
    assert len(server.requests) == 5


def test_a_run_that_is_killed_goes_on_without_loss_or_doubles(server: ChatServer, tmp_path: Path) -> None:
    server.answer = right_answer
    file, out = tmp_path / "clean.json", tmp_path / "out"
    file.write_text(json.dumps([rotbench_row(str(number)) for number in range(600)]))
    command = [sys.executable, "-m", "ftrl.cli", "eval", "rotbench", str(file), "--model", LEAN]
    command += ["--base-url", server.url, "--out", str(out), "--in-flight", "2", "--json"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(server.requests) < 150 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = len(list(read_episodes(str(out))))
    assert 0 < before < 600
    server.requests.clear()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert SuiteResults.model_validate_json(done.stdout).metrics["ftrl_cf"].tasks == 600
    assert "rotbench: 600/600 episodes" in done.stderr
    assert len(server.requests) == 600 - before
    assert len({episode.sample for episode in read_episodes(str(out))}) == 600


def test_a_folder_with_episodes_is_refused_where_that_was_asked_for(
    rotbench: str, server: ChatServer, tmp_path: Path
) -> None:
    server.answer = right_answer
    arguments = ("rotbench", rotbench, "--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out"))
    assert run(*arguments, "--no-resume", "--limit", "1").exit_code == 0
    refused = run(*arguments, "--no-resume").exception
    assert isinstance(refused, InputError)
    assert "holds episodes already" in str(refused)
    assert run(*arguments, "--resume").exit_code == 0
    assert len(server.requests) == 5


def _break_row(path: Path) -> None:
    rows = json.loads(path.read_text())
    rows.append({"conversations": "none"} if "clean" in path.name else {**rows[0], "tools": "none"})
    path.write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("suite", "more", "message"),
    [
        ("rotbench", (), r"clean.json:3: field 'conversations'"),
        ("toolhop", (), r"ToolHop.json:2: field 'tools'"),
    ],
)
def test_a_broken_row_is_named_before_anybody_is_asked(
    request: pytest.FixtureRequest, server: ChatServer, tmp_path: Path, suite: str, more: tuple[str, ...], message: str
) -> None:
    data = request.getfixturevalue(suite)
    _break_row(Path(data) / "First_Turn" / "clean.json" if suite == "rotbench" else Path(data))
    options = ("--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out"))
    error = run(suite, data, *options, *more).exception
    assert isinstance(error, InputError)
    assert pytest.raises(InputError, match=message).matches(error)
    assert server.requests == []
    assert not (tmp_path / "out").exists()


def test_a_broken_row_of_tau_bench_is_named(tau_bench: str, server: ChatServer, tmp_path: Path) -> None:
    with Path(tau_bench).open("a") as file:
        file.write(json.dumps({"data_source": "tau-bench/retail", "instruction": "Hm.", "actions": [{}]}) + "\n")
    error = run(
        *("tau-bench", tau_bench, "--model", LEAN, "--base-url", server.url, "--out", str(tmp_path / "out")),
        *("--user-model", LEAN, "--user-base-url", server.url),
    ).exception
    assert isinstance(error, InputError)
    assert "tau-bench.jsonl:2: field 'actions'" in str(error)


USER = ("--user-model", LEAN, "--user-base-url", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("suite", "options", "message"),
    [
        ("rotbench", (), "there is no RoTBench data here; `ftrl eval fetch rotbench`"),
        ("toolhop", (), "there is no such file; `ftrl eval fetch toolhop`"),
        ("tau-bench", USER, "there are no tau-bench tasks here"),
        ("tau-bench", (), "give --user-model"),
        ("tau-bench", (*USER, "--mode", "other"), "field 'mode'"),
        ("tau-bench", (*USER, "--domain", "bank"), "no domain 'bank'"),
        ("toolhop", ("--scenario", "other"), "field 'scenario'"),
        ("rotbench", ("--price", "much"), "--price takes two numbers"),
        ("rotbench", ("--thinking",), "--reasoning-effort"),
        ("rotbench", ("--limit", "0"), "field 'limit'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    tmp_path: Path, suite: str, options: tuple[str, ...], message: str
) -> None:
    arguments = (str(tmp_path / "missing"), "--model", LEAN, "--base-url", "http://127.0.0.1:9/v1")
    error = run(suite, *arguments, "--out", str(tmp_path / "out"), *options).exception
    assert isinstance(error, InputError)
    assert message in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suite", ["ftrl-test", "rotbench", "toolhop", "tau-bench"])
def test_every_suite_says_when_its_data_is_not_named_and_when_a_model_is_not_there(
    tmp_path: Path, suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    nowhere = run(suite, "--model", LEAN, "--out", str(tmp_path / "out"), *(USER if suite == "tau-bench" else ()))
    assert isinstance(nowhere.exception, InputError)
    assert f"`ftrl eval fetch {suite}` gets it" in str(nowhere.exception)
    assert f"ftrl eval {suite} DATA" in str(nowhere.exception)
    arguments = (str(tmp_path), "--model", str(tmp_path / "none"), "--out", str(tmp_path / "out"))
    error = run(suite, *arguments, *(USER if suite == "tau-bench" else ())).exception
    assert isinstance(error, InputError)
    assert "none" in str(error)
