"""Episodes with a provider's model: a real server that speaks OpenAI's protocol, asked as any user would ask it."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import open_tasks
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation import EvalConfig, evaluate
from ftrl.rollouts import (
    CollectConfig,
    CollectReport,
    EngineSettings,
    EpisodeSettings,
    ProviderSettings,
    Trajectory,
    TrajectoryStatus,
    TrajectoryStore,
    Uncollected,
    collect,
)
from ftrl.sandbox import CallStatus
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.stream import prepare
from tests.http_server import Answer, Asked, HttpServer


@dataclass(frozen=True)
class Reply:
    """One answer: a message (or whatever else ``body`` is), or an error; ``cut`` ends the connection half-way."""

    message: dict[str, Any] | None = None
    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    finish: str | None = None

    def data(self) -> bytes:
        if self.body is not None or self.message is None:
            return json.dumps(self.body or {"error": {"message": "no"}}).encode()
        finish = self.finish or ("tool_calls" if self.message.get("tool_calls") else "stop")
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **self.message}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        return json.dumps(answer).encode()


def calling(*calls: tuple[str, Any], **more: Any) -> Reply:
    """A turn with calls; arguments that are text go out as they are."""
    return Reply(
        {
            "content": None,
            "tool_calls": [
                {
                    "id": f"theirs-{number}",
                    "type": "function",
                    "function": {
                        "name": name,
                        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
                    },
                }
                for number, (name, arguments) in enumerate(calls)
            ],
            **more,
        }
    )


def saying(text: str, **more: Any) -> Reply:
    return Reply({"content": text, **more})


CAPITAL = calling(("capital_of", {"country": "Atlantis"}))
POPULATION = calling(("population_of", {"city": "Poseidonis"}))


def solving(request: dict[str, Any]) -> Reply:
    """Solves the task of the tests in two calls."""
    said = sum(message["role"] == "assistant" for message in request["messages"])
    return (CAPITAL, POPULATION, saying("There are 1200."))[said]


class ChatServer(HttpServer):
    """``answer`` is asked for every reply; ``requests`` holds what came in."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Reply] = solving
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        super().__init__()

    def reply(self, asked: Asked) -> Answer:
        request = asked.json()
        self.requests.append(request)
        self.keys.append(asked.headers.get("Authorization"))
        reply = self.answer(request)
        headers = {"Content-Type": "application/json", **reply.headers}
        return Answer(reply.data(), reply.status, headers, reply.cut)

    @property
    def url(self) -> str:
        return f"{self.address}/v1"


LEAN, INSPECT = "openai-api/local/scripted", "openai/gpt-4o"
"""A model that is asked directly, and one that is asked through Inspect."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    opened = ChatServer()
    yield opened
    opened.close()


@dataclass
class Bench:
    """A place to collect in."""

    out: str
    url: str
    tasks_file: Callable[[int], str]

    def config(self, model: str = LEAN, tasks: int = 1, in_flight: int = 4, **more: Any) -> CollectConfig:
        values: dict[str, Any] = {
            "provider": ProviderSettings(base_url=self.url, retries=2, price_input=1.0, price_output=10.0),
            "engine": EngineSettings(episodes_in_flight=in_flight, sandbox_workers=1),
            **more,
        }
        return CollectConfig(tasks=self.tasks_file(tasks), model=model, out=self.out, **values)

    def collect(self, *arguments: Any, **more: Any) -> CollectReport:
        return collect(self.config(*arguments, **more), display=False)

    def episodes(self) -> list[Trajectory]:
        return list(TrajectoryStore.open(self.out))


@pytest.fixture
def bench(server: ChatServer, tmp_path: Path, tasks_file: Callable[[Path, int], str]) -> Bench:
    return Bench(str(tmp_path / "rollouts"), server.url, lambda count: tasks_file(tmp_path, count))


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_it_plays_the_very_same_episode(bench: Bench, server: ChatServer, model: str, play: Any) -> None:
    report = bench.collect(model)
    (episode,) = bench.episodes()
    same = {"messages", "calls", "status", "metrics", "environment_id"}
    scripted = play(environment=next(iter(open_tasks(bench.config().tasks))), texts=None)
    shown = {**scripted.model_dump(include=same)}
    told = episode.model_dump(include=same)
    for one in (shown, told):
        for call in one["calls"]:
            call.pop("seconds")
    assert told == shown
    assert report.f1 == 1.0
    assert episode.policy.name == model
    assert episode.policy.weights is None
    assert episode.turns == ()


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_it_can_be_evaluated_like_any_other(bench: Bench, tmp_path: Path, model: str) -> None:
    played = bench.config(model, tasks=3)
    config = EvalConfig(
        tasks=played.tasks, model=model, out=str(tmp_path / "eval"), provider=played.provider, engine=played.engine
    )
    results = evaluate(config, display=False)
    assert (results.overall.tasks, results.overall.f1) == (3, 1.0)
    assert results.policy.name == model
    assert results.settings.temperature == 0.0


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_the_model_is_told_its_calls_and_results_by_its_own_ids(bench: Bench, server: ChatServer, model: str) -> None:
    bench.collect(model)
    assert [len(request["messages"]) for request in server.requests] == [1, 3, 5]
    last = server.requests[-1]["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "tool", "assistant", "tool"]
    assert last[1]["tool_calls"][0]["function"]["name"] == "capital_of"
    assert last[2]["tool_call_id"] == last[1]["tool_calls"][0]["id"] == "theirs-0"
    assert last[2]["content"] == "Poseidonis"
    assert [tool["function"]["name"] for tool in server.requests[0]["tools"]] == ["capital_of", "population_of"]
    assert server.requests[0]["temperature"] == 1.0


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_tokens_and_their_price_are_summed_up(bench: Bench, model: str) -> None:
    report = bench.collect(model)
    usage = bench.episodes()[0].usage
    assert usage is not None
    assert (usage.input, usage.output) == (300, 30)
    assert usage.usd == pytest.approx((300 * 1.0 + 30 * 10.0) / 1e6)
    assert report.usd == usage.usd
    assert report.tokens == 30


@pytest.mark.parametrize("model", [LEAN, INSPECT])
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Reply(status=429, headers={"Retry-After": "1"}), id="429"),
        pytest.param(Reply(status=500), id="500"),
        pytest.param(Reply(saying("Half of it").message, cut=True), id="cut"),
    ],
)
def test_trouble_of_the_provider_is_tried_again_and_is_nobodys_answer(
    bench: Bench, server: ChatServer, model: str, trouble: Reply
) -> None:
    asked: Counter[int] = Counter()

    def answer(request: dict[str, Any]) -> Reply:
        asked[len(request["messages"])] += 1
        return trouble if asked[len(request["messages"])] == 1 else solving(request)

    server.answer = answer
    started = time.monotonic()
    report = bench.collect(model)
    assert (report.f1, report.statuses, report.errors) == (1.0, {"answered": 1}, {})
    assert asked == {1: 2, 3: 2, 5: 2}
    if trouble.headers:
        assert time.monotonic() - started > 3  # the server said how long to wait


def test_what_stays_broken_is_left_for_resume_and_never_scored(bench: Bench, server: ChatServer) -> None:
    down = threading.Event()

    def answer(request: dict[str, Any]) -> Reply:
        broken = down.is_set() and "Task 2:" in request["messages"][0]["content"]
        return Reply(status=503) if broken else solving(request)

    server.answer = answer
    down.set()
    provider = ProviderSettings(base_url=bench.url, retries=0)
    with pytest.raises(FtrlError, match=r"1 of 4 episodes could not be played.*task 2.*503.*--resume"):
        bench.collect(tasks=4, provider=provider)
    assert [episode.status for episode in bench.episodes()] == [TrajectoryStatus.ANSWERED] * 3
    down.clear()
    report = bench.collect(tasks=4, resume=True)
    assert (report.episodes, report.collected, report.f1) == (4, 1, 1.0)


def test_an_outage_is_told_once_and_then_summed_up_with_all_that_was_given_up(
    bench: Bench, server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        asked = request["messages"][0]["content"]
        broken = any(f"Task {number}:" in asked for number in (1, 3, 5, 7))
        return Reply(status=503) if broken else solving(request)

    server.answer = answer
    provider = ProviderSettings(base_url=bench.url, retries=0)
    with caplog.at_level(logging.INFO), pytest.raises(Uncollected, match=r"4 of 8 episodes") as stopped:
        bench.collect(tasks=8, provider=provider)
    told = [record for record in caplog.records if "through a fault of ours" in record.message]
    first, last = [record.message for record in told if record.levelno >= logging.WARNING]
    assert "503" in first
    assert "11 more attempts failed through a fault of ours; 4 episodes were given up" in last
    assert sorted(last.partition("task/sample: ")[2].rstrip(")").split()) == ["1/0", "3/0", "5/0", "7/0"]
    assert len(told) == 13  # who wants every single one asks the log for them
    assert (len(stopped.value.given_up), stopped.value.report.episodes) == (4, 4)
    assert all("503" in why for why in stopped.value.given_up.values())
    elsewhere = pickle.loads(pickle.dumps(stopped.value))  # as Ray hands it on
    assert (str(elsewhere), elsewhere.report) == (str(stopped.value), stopped.value.report)


def test_a_provider_that_is_down_ends_the_run_soon(bench: Bench, server: ChatServer) -> None:
    server.answer = lambda request: Reply(status=503)
    provider = ProviderSettings(base_url=bench.url, retries=0)
    with pytest.raises(FtrlError, match=r"20 episodes in a row.*--resume"):
        bench.collect(tasks=50, provider=provider)
    assert bench.episodes() == []


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_a_wrong_key_ends_the_run_at_once(bench: Bench, server: ChatServer, model: str) -> None:
    server.answer = lambda request: Reply(status=401, body={"error": {"message": "Incorrect API key"}})
    with pytest.raises(FtrlError, match=r"can't be asked.*401"):
        bench.collect(model, tasks=50)
    assert len(server.requests) <= 8


def test_a_missing_key_is_told_before_anything_is_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        bench.collect(INSPECT)
    assert not Path(bench.out).exists()


def test_the_key_is_the_environments(bench: Bench, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_API_KEY", "secret")
    bench.collect()
    assert set(server.keys) == {"Bearer secret"}
    assert "secret" not in Path(bench.out, "manifest.json").read_text()


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_a_conversation_that_no_longer_fits_is_an_honest_failure(bench: Bench, server: ChatServer, model: str) -> None:
    message = "This model's maximum context length is 128 tokens. However, you requested 900 tokens."
    full = Reply(status=400, body={"error": {"message": message, "code": "context_length_exceeded"}})
    server.answer = lambda request: full if len(request["messages"]) > 1 else solving(request)
    bench.collect(model)
    (episode,) = bench.episodes()
    assert episode.status is TrajectoryStatus.CONTEXT_FULL
    assert episode.metrics[0].recall == 0.5


def test_where_the_server_says_how_much_room_is_left_the_room_is_used(bench: Bench, server: ChatServer) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        if request["max_tokens"] > 28:
            problem = "This model's maximum context length is 128 tokens and your request has 100 input tokens"
            return Reply(status=400, body={"error": {"message": problem}})
        return Reply({"content": "and then, and then"}, finish="length")

    server.answer = answer
    bench.collect()
    assert [request["max_tokens"] for request in server.requests] == [1024, 28]
    assert bench.episodes()[0].status is TrajectoryStatus.CONTEXT_FULL


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_arguments_that_are_no_json_are_the_models_error_and_are_kept_as_written(
    bench: Bench, server: ChatServer, model: str
) -> None:
    turns = [calling(("capital_of", '{"country": Atlantis')), saying("I give up.")]
    server.answer = lambda request: turns[sum(message["role"] == "assistant" for message in request["messages"])]
    bench.collect(model)
    (episode,) = bench.episodes()
    assert episode.calls[0].arguments == '{"country": Atlantis'
    assert episode.calls[0].call_status is CallStatus.TOOL_ERROR
    assert episode.metrics[0].f1 == 0.0
    assert json.loads(server.requests[1]["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {}


@pytest.mark.parametrize("model", [LEAN, INSPECT])
def test_thinking_is_kept_out_of_the_record_and_of_the_history(bench: Bench, server: ChatServer, model: str) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        reply = solving(request)
        assert reply.message is not None
        return Reply({**reply.message, "reasoning_content": "Let me see."})

    server.answer = answer
    report = bench.collect(model)
    assert report.f1 == 1.0
    assert "Let me see" not in bench.episodes()[0].model_dump_json()
    if model == LEAN:
        assert "Let me see" not in json.dumps(server.requests)


def test_the_episode_settings_reach_the_provider(bench: Bench, server: ChatServer) -> None:
    episode = EpisodeSettings(temperature=0.25, max_response_tokens=77, seed=5, reasoning_effort="low")
    bench.collect(tasks=2, samples=2, episode=episode)
    first = server.requests[0]
    assert (first["temperature"], first["max_tokens"], first["reasoning_effort"]) == (0.25, 77, "low")
    seeds = {(episode.environment_id, episode.sample): episode.seed for episode in bench.episodes()}
    assert len(set(seeds.values())) == 4
    assert {request["seed"] for request in server.requests} == set(seeds.values())


def test_a_budget_ends_the_run_and_a_larger_one_goes_on(bench: Bench) -> None:
    with pytest.raises(FtrlError, match=r"the budget is spent \(60 tokens generated\) with 2 of 5.*--resume"):
        bench.collect(tasks=5, in_flight=1, budget_tokens=31)
    assert len(bench.episodes()) == 2
    with pytest.raises(FtrlError, match=r"budget is spent.*with 2 of 5"):
        bench.collect(tasks=5, in_flight=1, budget_tokens=60, resume=True)
    with pytest.raises(FtrlError, match=r"\$0.00\) with 3 of 5"):
        bench.collect(tasks=5, in_flight=1, budget_usd=0.0015, resume=True)
    assert bench.collect(tasks=5, budget_tokens=10_000, resume=True).episodes == 5


def test_another_model_cannot_go_on_with_the_store(bench: Bench) -> None:
    bench.collect(tasks=1)
    with pytest.raises(InputError, match="by another model"):
        bench.collect("openai-api/local/other", tasks=2, resume=True)


@pytest.mark.parametrize("model", [LEAN, INSPECT])
@pytest.mark.parametrize(
    ("address", "why"),
    [("http://127.0.0.1:9/v1", "Connection refused"), ("127.0.0.1:8000/v1", "write it as http://HOST:PORT/v1")],
)
def test_an_address_where_nobody_is_ends_the_run_at_once_and_is_named(
    bench: Bench, model: str, address: str, why: str
) -> None:
    nowhere = replace(bench, url=address)
    with pytest.raises(FtrlError, match=f"{model} can't be asked at {address}: .*{why}"):
        nowhere.collect(model, provider=ProviderSettings(base_url=address, retries=50))


def test_its_episodes_are_refused_by_training(bench: Bench, tmp_path: Path) -> None:
    bench.collect()
    settings = StreamSettings(bench.out, 0, "tasks", "model", max_prompt_tokens=9, thinking=False, seed=0)
    with pytest.raises(InputError, match=r"openai-api/local/scripted, of which there are no tokens"):
        prepare(settings, PromptFiles(tmp_path / "prompts"))


def test_seeds_are_refused_where_the_provider_takes_none(bench: Bench) -> None:
    with pytest.raises(InputError, match="takes no seeds"):
        bench.collect("anthropic/some", episode=EpisodeSettings(seed=1))


def test_a_parser_is_refused_where_the_provider_names_the_calls(bench: Bench) -> None:
    with pytest.raises(InputError, match="a provider names its models' calls itself"):
        bench.collect(episode=EpisodeSettings(parser="hermes"))


def test_a_run_that_is_killed_goes_on_without_loss_or_doubles(bench: Bench, server: ChatServer, tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        time.sleep(0.002)
        return solving(request)

    server.answer = answer
    command = [sys.executable, "-m", "ftrl.cli", "rollout", bench.config(tasks=150).tasks, "--model", LEAN]
    command += ["--base-url", bench.url, "--out", bench.out, "--samples", "2", "--in-flight", "8", "--json"]
    with (tmp_path / "log").open("w") as log:
        first = subprocess.Popen(command, stderr=log, stdout=log)
        deadline = time.monotonic() + 120
        while len(server.requests) < 300 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    before = len(bench.episodes())
    assert before < 300
    done = subprocess.run([*command, "--resume"], check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert (report["episodes"], report["collected"]) == (300, 300 - before)
    counted = Counter((episode.environment_id, episode.sample) for episode in bench.episodes())
    assert len(counted) == 300
    assert set(counted.values()) == {1}
    assert all(episode.metrics[0].f1 == 1.0 for episode in bench.episodes())


@pytest.mark.slow
def test_a_store_on_s3_may_be_away_for_a_while(bench: Bench, server: ChatServer, tmp_path: Path) -> None:
    from moto.server import ThreadedMotoServer

    first = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    first.start()
    _, port = first.get_host_and_port()
    aws = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**os.environ, **aws, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    make = "import fsspec; fsspec.filesystem('s3').mkdir('away')"
    subprocess.run([sys.executable, "-c", make], check=True, env=environment)
    away = threading.Event()

    def answer(request: dict[str, Any]) -> Reply:
        if len(server.requests) == 60:  # the store was made; nothing is committed yet
            first.stop()
            away.set()
        return solving(request)

    server.answer = answer
    command = [sys.executable, "-m", "ftrl.cli", "rollout", bench.config(tasks=100).tasks, "--model", LEAN]
    command += ["--base-url", bench.url, "--out", "s3://away/store", "--in-flight", "4", "--json"]
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        assert away.wait(120), (tmp_path / "log").read_text()
        time.sleep(25)
        assert run.poll() is None
        second = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
        second.start()
        out, _ = run.communicate(timeout=120)
    second.stop()
    assert "does not answer" in (tmp_path / "log").read_text()
    assert json.loads(out)["episodes"] == 100
    count = "from ftrl.rollouts import TrajectoryStore as T; print(len({t.id for t in T.open('s3://away/store')}))"
    third = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    third.start()
    done = subprocess.run([sys.executable, "-c", count], check=True, env=environment, capture_output=True, text=True)
    third.stop()
    assert done.stdout.strip() == "100"
