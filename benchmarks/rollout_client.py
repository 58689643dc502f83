"""What an episode costs the process that plays it with a provider's model: CPU per turn, memory per episode.

A scripted server in a process of its own speaks OpenAI's protocol: it plays the golden turns of generated tasks, and
takes its time for each, so that ``--in-flight`` episodes are under way at once. In one run:

* ``ftrl rollout``: the whole of it - conversations, parsing, sandbox, scoring, store;
* the same conversations through Inspect's model layer (the baseline), with fewer in flight: it is CPU that is counted;
* the bare requests, made by aiohttp without any of us: what the transport alone takes.

    python benchmarks/rollout_client.py [--in-flight 2000] [--episodes 4000] [--seconds 3.0]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import figure

from ftrl.environments import Environment, EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rollouts import CollectConfig, EngineSettings, ProviderSettings, TrajectoryStore, collect
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tool_calls import parse_qwen

TASKS = 200
BASELINE_EPISODES, BASELINE_IN_FLIGHT = 150, 50


@dataclass(frozen=True)
class Cost:
    """What a run took: of CPU for each turn, of memory for each episode in flight, of the clock."""

    name: str
    turns: int
    cpu_ms: float
    peak_kib: float
    seconds: float

    def line(self) -> str:
        return (
            f"{self.name:34} {self.turns:6} turns  {self.cpu_ms:6.2f} ms CPU a turn  "
            f"{self.peak_kib:6.0f} KiB an episode  {self.turns / self.seconds:6.0f} turns/s"
        )


def answers(environment: Environment) -> list[bytes]:
    """The golden turns as a server of OpenAI's protocol gives them."""
    made = []
    for number, text in enumerate(golden_turns(environment)):
        parsed = parse_qwen(text)
        message = {"role": "assistant", "content": parsed.content}
        if parsed.calls:
            message = parsed.message([f"theirs-{number}-{i}" for i in range(len(parsed.calls))])
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 1040},
        }
        made.append(json.dumps(answer).encode())
    return made


def serve(port: Any, tasks: str, seconds: float) -> None:
    """The scripted server; puts its port into ``port`` and runs for ever."""
    scripts = {environment.question: answers(environment) for environment in EnvironmentStore.open(tasks)}

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                messages = json.loads(await reader.readexactly(length))["messages"]
                turn = sum(message["role"] == "assistant" for message in messages)
                await asyncio.sleep(seconds)
                answer = scripts[messages[0]["content"]][turn]
                top = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
                writer.write(top + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
        port.value = listening.getsockname()[1]
        server = await asyncio.start_server(client, sock=listening, limit=1 << 22)
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def serving(tasks: str, seconds: float) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=serve, args=(port, tasks, seconds), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port.value}/v1"
    process.kill()
    process.join()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(name: str, in_flight: int, work: Callable[[], int]) -> Cost:
    """What ``work``, which returns its turns, takes of this process."""
    before, peak, stop = resident(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu, clock = time.process_time(), time.monotonic()
    turns = work()
    cpu, clock = time.process_time() - cpu, time.monotonic() - clock
    stop.set()
    watcher.join()
    return Cost(name, turns, cpu / turns * 1e3, max(0, peak[0] - before) / in_flight / 1024, clock)


def rollout(tasks: str, out: str, url: str, model: str, episodes: int, in_flight: int) -> int:
    """Collect, and count the turns."""
    config = CollectConfig(
        tasks=tasks,
        model=model,
        out=out,
        samples=episodes // TASKS if episodes >= TASKS else 1,
        limit=min(episodes, TASKS),
        engine=EngineSettings(episodes_in_flight=in_flight),
        provider=ProviderSettings(base_url=url, price_input=1, price_output=1),
    )
    report = collect(config, display=False)
    assert report.f1 == 1.0, "every episode is golden"
    assert len(TrajectoryStore.open(out)) == report.collected
    return round((report.turns or 0) * report.collected)


def bare(tasks: str, url: str, turns: int, in_flight: int) -> int:
    """First requests of conversations, by aiohttp."""
    import aiohttp

    bodies = [
        json.dumps({"model": "scripted", "messages": task.messages(), "tools": task.tools}).encode()
        for task in EnvironmentStore.open(tasks)
    ]

    async def main() -> None:
        left = iter(range(turns))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one() -> None:
                for number in left:
                    async with session.post(f"{url}/chat/completions", data=bodies[number % len(bodies)]) as response:
                        json.loads(await response.read())

            await asyncio.gather(*(one() for _ in range(in_flight)))

    asyncio.run(main())
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--episodes", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long the server takes for a turn")
    options = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "none"
    with tempfile.TemporaryDirectory() as folder:
        tasks = f"{folder}/tasks"
        synthesize(SynthesisConfig.model_validate({"out": tasks, "count": TASKS}))
        with serving(tasks, options.seconds) as url:
            lean, through_inspect = "openai-api/local/scripted", "openai/gpt-4o"
            rollout(tasks, f"{folder}/warm", url, lean, 20, 20)
            in_flight, episodes = options.in_flight, options.episodes
            ours = measured(
                f"ftrl rollout, {in_flight} in flight",
                in_flight,
                lambda: rollout(tasks, f"{folder}/ours", url, lean, episodes, in_flight),
            )
            print(ours.line(), flush=True)
            rollout(tasks, f"{folder}/warm-inspect", url, through_inspect, 20, 20)
            base = measured(
                f"through Inspect, {BASELINE_IN_FLIGHT} in flight",
                BASELINE_IN_FLIGHT,
                lambda: rollout(tasks, f"{folder}/base", url, through_inspect, BASELINE_EPISODES, BASELINE_IN_FLIGHT),
            )
            print(base.line(), flush=True)
            transport = measured(
                f"bare aiohttp, {in_flight} in flight",
                in_flight,
                lambda: bare(tasks, url, ours.turns, in_flight),
            )
            print(transport.line(), flush=True)
            figure("CPU of a turn", ours.cpu_ms, " ms", "<= 1")
            figure("CPU of a turn through Inspect's layer, of ours", base.cpu_ms / ours.cpu_ms)
            figure("CPU of a turn, of bare requests", ours.cpu_ms / transport.cpu_ms)
            print(f"Inspect's layer takes {base.cpu_ms / ours.cpu_ms:.1f} times the CPU of a turn")


if __name__ == "__main__":
    main()
