"""``ftrl env serve``, spoken to by the official client."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from ftrl.environments import EnvironmentStore, open_tasks
from ftrl.errors import InputError
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, run_episode
from ftrl.sandbox import CallResult, CallStatus, Sandbox
from ftrl.serving import Toolbox
from ftrl.serving.mcp_server import listen, mcp_server

Story = Callable[[Client], Awaitable[None]]
Tell = Callable[[Story], None]
Serve = Callable[..., list[str]]


def text_of(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


@asynccontextmanager
async def over_stdio(words: list[str]) -> AsyncIterator[Client]:
    async with Client(stdio_client(StdioServerParameters(command=words[0], args=words[1:]))) as client:
        yield client


@pytest.fixture(params=["stdio", "http", "http, older protocol"])
def tell(request: pytest.FixtureRequest, store: str, serve: Serve) -> Tell:
    """A function that lets a client tell a story to a server, over each transport."""

    def run(story: Story) -> None:
        async def go() -> None:
            if request.param == "stdio":
                async with over_stdio(serve(store, "0", "--timeout", "1.5", "--workers", "1")) as client:
                    await story(client)
            else:
                mode = "legacy" if "older" in request.param else "auto"
                async with Client(request.getfixturevalue("address"), mode=mode) as client:
                    await story(client)

        asyncio.run(go())

    return run


def test_the_tools_come_with_exactly_the_schemas_of_the_task(tell: Tell, task: SimpleNamespace) -> None:
    async def story(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == [tool["function"]["name"] for tool in task.tools]
        for tool, own in zip(listed, task.tools, strict=True):
            assert tool.description == own["function"]["description"]
            assert tool.input_schema == own["function"].get("parameters", {"type": "object", "properties": {}})

    tell(story)


def test_the_question_is_the_prompt_task_and_there_is_no_other(tell: Tell, task: SimpleNamespace) -> None:
    async def story(client: Client) -> None:
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["task"]
        (message,) = (await client.get_prompt("task")).messages
        assert message.role == "user"
        assert isinstance(message.content, types.TextContent)
        assert message.content.text == task.question
        with pytest.raises(MCPError, match="there is no prompt 'answer', only 'task'"):
            await client.get_prompt("answer")

    tell(story)


def test_calls_answer_wrongly_made_ones_say_why_and_the_server_goes_on(tell: Tell) -> None:
    async def story(client: Client) -> None:
        right = await client.call_tool("population_of", {"city": "Poseidonis"})
        assert text_of(right) == '{"city": "Poseidonis", "population": 1200, "unit": "heads"}'
        assert not right.is_error
        missing = await client.call_tool("capital_of", {})
        assert missing.is_error
        assert "missing 1 required positional argument: 'country'" in text_of(missing)
        unknown = await client.call_tool("no_such_tool", {"x": 1})
        assert unknown.is_error
        assert "no_such_tool" in text_of(unknown)
        hanging = await client.call_tool("hang")
        assert hanging.is_error
        assert "while True" not in text_of(hanging)  # the published text quotes the source
        assert text_of(await client.call_tool("capital_of", {"country": "Lemuria"})) == "Ram"

    tell(story)


def test_hostile_tools_reach_neither_the_wire_nor_the_server_nor_the_golds(tell: Tell, task: SimpleNamespace) -> None:
    async def story(client: Client) -> None:
        assert text_of(await client.call_tool("shout", {"text": "loud"})) == "loud"
        for target in ("forge", "exit"):
            assert (await client.call_tool("steal", {"target": target})).is_error
        await client.call_tool("steal", {"target": "kill"})
        for target in ("/etc/passwd", "/proc/1/environ", "environment", "memory"):
            stolen = text_of(await client.call_tool("steal", {"target": target}))
            for secret in (task.answer, "Poseidonis", "PROVENANCE", "PATH", "root:"):
                assert secret not in stolen
        assert text_of(await client.call_tool("half")) == r"\ud83d"
        assert text_of(await client.call_tool("capital_of", {"country": "Lemuria"})) == "Ram"

    tell(story)


def test_a_failing_call_shows_what_the_episode_loop_shows(
    address: str, task: SimpleNamespace, sandbox: Sandbox
) -> None:
    made: list[tuple[str, dict[str, Any]]] = [
        ("capital_of", {"country": "Mu"}),
        ("capital_of", {"land": "Mu"}),
        ("population_of", {"city": ["Ram"]}),
        ("no_such_tool", {}),
        ("half", {}),
        ("capital_of", {"country": "Atlantis"}),
    ]
    spoken = "".join(
        f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>" for name, arguments in made
    )

    async def go() -> None:
        trajectory = await run_episode(
            task.environment,
            task.sources,
            ScriptedPolicy([spoken, "Done."]),
            sandbox,
            EpisodeSettings(),
            EpisodeKey("r"),
        )
        async with Client(address) as client:
            for (name, arguments), call in zip(made, trajectory.calls, strict=True):
                result = await client.call_tool(name, arguments)
                assert text_of(result) == call.output
                assert result.is_error == (call.call_status is not CallStatus.OK)

    asyncio.run(go())


def test_two_clients_at_once_do_not_wait_for_each_others_hanging_calls(patient_address: str) -> None:
    async def go() -> None:
        async with Client(patient_address) as slow, Client(patient_address) as quick:
            hanging = asyncio.create_task(slow.call_tool("hang"))
            await asyncio.sleep(0.5)
            answers = await asyncio.gather(
                *(quick.call_tool("capital_of", {"country": "Lemuria"}) for _ in range(5)),
                *(slow.call_tool("capital_of", {"country": "Atlantis"}) for _ in range(5)),
            )
            assert [text_of(answer) for answer in answers] == ["Ram"] * 5 + ["Poseidonis"] * 5
            assert not hanging.done()
            hanging.cancel()

    asyncio.run(go())


def test_nothing_that_a_client_can_ask_for_holds_the_answer(store: str, task: SimpleNamespace, serve: Serve) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    completion = {"ref": {"type": "ref/prompt", "name": "task"}, "argument": {"name": "a", "value": ""}}
    requests: list[dict[str, Any]] = [
        {"method": "initialize", "params": client},
        {"method": "tools/list"},
        {"method": "prompts/list"},
        {"method": "prompts/get", "params": {"name": "task"}},
        {"method": "resources/list"},
        {"method": "resources/templates/list"},
        {"method": "completion/complete", "params": completion},
        {"method": "logging/setLevel", "params": {"level": "debug"}},
        {"method": "tools/call", "params": {"name": "no_such_tool"}},
    ]
    lines = [json.dumps({"jsonrpc": "2.0", "id": number, **request}) for number, request in enumerate(requests)]
    lines.insert(1, json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    lines.append("this is no JSON")
    with subprocess.Popen(serve(store, "0"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("\n".join(lines) + "\n")
        server.stdin.flush()
        written = [server.stdout.readline() for _ in requests]
        server.stdin.close()
        written += server.stdout.readlines()
        assert server.wait(30) == 0
    answers = [json.loads(line) for line in written]  # every line on standard output is the protocol
    assert {answer["jsonrpc"] for answer in answers} == {"2.0"}
    assert {answer.get("id") for answer in answers} >= set(range(len(requests)))
    for secret in (task.answer, "Poseidonis", "1200", "PROVENANCE", "multi_hop", "q1"):
        assert secret not in "".join(written)


def test_a_page_in_a_browser_is_turned_away(address: str) -> None:
    for header, value in (("Origin", "http://evil.example"), ("Host", "evil.example")):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", header: value}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10)
        assert refused.value.code in (403, 421)


def test_a_failure_of_ours_is_an_error_of_the_protocol_not_of_the_tool(task: SimpleNamespace) -> None:
    class Broken:
        async def run_async(self, calls: Any) -> list[CallResult]:
            return [CallResult("no worker", CallStatus.INFRASTRUCTURE, 0.0)]

    async def go() -> None:
        toolbox = Toolbox(task.environment, task.sources, Broken())  # type: ignore[arg-type]
        async with Client(mcp_server(toolbox)) as client:
            with pytest.raises(MCPError, match="could not be run"):
                await client.call_tool("capital_of", {"country": "Atlantis"})

    asyncio.run(go())


def test_a_schema_that_is_not_of_an_object_is_refused_before_anything_is_served(
    task: SimpleNamespace, sandbox: Sandbox
) -> None:
    tools = ({"type": "function", "function": {"name": "capital_of", "parameters": {"type": "string"}}},)
    odd = task.environment.model_copy(update={"tools": tools})
    with pytest.raises(InputError, match="'capital_of' are not a schema of type object"):
        mcp_server(Toolbox(odd, task.sources, sandbox))


def test_a_port_that_is_taken_and_a_task_that_is_not_there_are_told_in_a_sentence(store: str, serve: Serve) -> None:
    taken, address = listen(0)
    taken.listen()
    port = address.rsplit(":", 1)[1].partition("/")[0]
    for arguments, code, message in (
        ((store, "0", "--http", port), 1, f"port {port} cannot be had"),
        ((store, "99"), 2, "there is no row 99; rows go from 0 to 2"),
        ((store, "0", "--timeout", "0"), 2, "--timeout"),
    ):
        done = subprocess.run(serve(*arguments), capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    taken.close()


def test_an_id_may_be_given_by_its_beginning(store: str, serve: Serve) -> None:
    wanted = EnvironmentStore.open(store)[1]

    async def go() -> None:
        async with over_stdio(serve(store, wanted.id[:12])) as client:
            (message,) = (await client.get_prompt("task")).messages
            assert isinstance(message.content, types.TextContent)
            assert message.content.text == "And in Lemuria's?"

    asyncio.run(go())


def test_every_published_task_can_be_served_with_its_schemas_as_they_are(shared: Any, sandbox: Sandbox) -> None:
    async def go() -> None:
        tasks = open_tasks(str(shared / "data" / "ftrl_test_dev100.jsonl"))
        for environment in tasks:
            toolbox = Toolbox(environment, tasks.sources(environment), sandbox)
            async with Client(mcp_server(toolbox), mode="legacy") as client:
                listed = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
            assert listed == {tool["function"]["name"]: tool["function"]["parameters"] for tool in environment.tools}

    asyncio.run(go())


def test_the_port_listens_on_the_loopback_interface_only() -> None:
    opened, address = listen(0)
    assert opened.getsockname()[0] == "127.0.0.1"
    assert address == f"http://127.0.0.1:{opened.getsockname()[1]}/mcp"
    assert opened.family is socket.AF_INET
    opened.close()
