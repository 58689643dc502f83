"""The same conversations through another provider's protocol: Anthropic's messages, with thinking."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ftrl.evaluation import SuiteConfig, SuiteResults, evaluate_suite
from ftrl.evaluation.running import read_episodes
from ftrl.rollouts import EngineSettings, ProviderSettings
from tests.evaluation.chat_server import LEAN, ChatServer, calling, saying

MODEL = "anthropic/claude-sonnet-4-0"

Turn = list[dict[str, Any]]
"""Content blocks of an answer."""


class MessagesServer:
    """``answer`` makes an answer's blocks of a request, or the status of an error."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Turn | int] = lambda request: []
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if "count_tokens" in self.path:  # asked of every answer with thinking in it
                    return self.reply(200, {"input_tokens": 5})
                outer.requests.append(request)
                content = outer.answer(request)
                body: dict[str, Any] = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
                if not isinstance(content, int):
                    calls = any(block["type"] == "tool_use" for block in content)
                    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"]}
                    body |= {"content": content, "stop_reason": "tool_use" if calls else "end_turn"}
                    body |= {"stop_sequence": None, "usage": {"input_tokens": 100, "output_tokens": 10}}
                return self.reply(content if isinstance(content, int) else 200, body)

            def reply(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    opened = MessagesServer()
    yield opened
    opened.close()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(number: int, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}


THINKING = {"type": "thinking", "thinking": "<answer>14</answer>, or is it?", "signature": "x"}


def play(suite: str, tasks: str, model: str, url: str, out: Path) -> SuiteResults:
    config = SuiteConfig.model_validate(
        {
            "suite": suite,
            "tasks": tasks,
            "model": model,
            "out": str(out),
            "provider": ProviderSettings(base_url=url, retries=0, price_input=1.0, price_output=10.0),
            "engine": EngineSettings(sandbox_workers=1),
        }
    )
    return evaluate_suite(config, display=False)


def test_a_conversation_with_calls_and_thinking_earns_the_same(
    messages: MessagesServer, server: ChatServer, tmp_path: Path
) -> None:
    parameters = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    row = {
        "question": "What is the sum of the digits of 67?",
        "answer": "13",
        "sub_task": {"Sum?": "13"},
        "tools": {"Sum?": {"name": "digit_sum", "description": "Adds digits.", "parameters": parameters}},
        "functions": ["def digit_sum(n):\n    return sum(map(int, n))\n"],
    }
    data = tmp_path / "ToolHop.json"
    data.write_text(json.dumps([row]))

    def theirs(request: dict[str, Any]) -> Turn:
        first = len(request["messages"]) == 1
        return (
            [THINKING, use(0, "digit_sum", n="67"), use(1, "digit_sum", n="x")]
            if first
            else [text("<answer>13</answer>")]
        )

    def ours(request: dict[str, Any]) -> dict[str, Any]:
        first = len(request["messages"]) == 1
        return (
            calling(("digit_sum", {"n": "67"}), ("digit_sum", {"n": "x"})) if first else saying("<answer>13</answer>")
        )

    messages.answer, server.answer = theirs, ours
    found = [
        play("toolhop", str(data), MODEL, messages.url, tmp_path / "theirs"),
        play("toolhop", str(data), LEAN, server.url, tmp_path / "ours"),
    ]
    assert [of.mean for of in found[0].metrics.values()] == [of.mean for of in found[1].metrics.values()] == [1, 1, 1]
    assert found[0].usage == found[1].usage
    episodes = [next(iter(read_episodes(str(tmp_path / name)))).transcript for name in ("theirs", "ours")]
    assert episodes[0].messages == episodes[1].messages
    assert "or is it" not in episodes[0].model_dump_json()
    answered = messages.requests[1]["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in answered if block["type"] == "tool_result"] == ["toolu_0", "toolu_1"]


def test_a_conversation_may_begin_in_the_middle(messages: MessagesServer, tmp_path: Path) -> None:
    right = 'Thought:\nAction: pour\nAction Input: {"kind": "green"}'
    system = "Tools:\n" + json.dumps([{"name": name} for name in ("pour", "ask_to_user", "finish")])
    said = [("system", system), ("user", "Tea!"), ("assistant", "Action: pour"), ("function", "which?")]
    rows = [{"conversations": [{"from": w, "value": v} for w, v in (*said, ("assistant", [right]))], "scenario": "PL"}]
    file = tmp_path / "Third_Turn" / "clean.json"
    file.parent.mkdir()
    file.write_text(json.dumps(rows))
    messages.answer = lambda request: [text(right)]
    assert play("rotbench", str(file), MODEL, messages.url, tmp_path / "out").metrics["official_cf"].mean == 1.0
    (request,) = messages.requests
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "user"]


def test_what_it_refuses_is_a_fault_that_is_listed(messages: MessagesServer, tmp_path: Path) -> None:
    asked: list[int] = []

    def answer(request: dict[str, Any]) -> Turn | int:
        asked.append(1)
        return 400 if len(asked) > 1 else [text("<answer>1</answer>")]

    messages.answer = answer
    settings = {"suite": "general", "model": MODEL, "out": str(tmp_path / "out"), "limit": 2}
    provider = ProviderSettings(base_url=messages.url, retries=0)
    engine = EngineSettings(episodes_in_flight=1, sandbox_workers=1)
    results = evaluate_suite(
        SuiteConfig.model_validate({**settings, "provider": provider, "engine": engine}), display=False
    )
    assert list(results.not_run) == ["arithmetic/1/0"]
    assert results.metrics["strict"].tasks == 1
