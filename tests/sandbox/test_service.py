"""The sandbox of a Ray node: one for all who ask, on their node, and back after it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ftrl.ray_session import ray_session
from ftrl.sandbox import Call, CallStatus, Limits

pytestmark = pytest.mark.timeout(300)

PROVEN = "def double(x):\n    return {'doubled': 2 * x}"
FORKED = "def double(x):\n    import time\n    time.sleep(0.01)\n    return {'doubled': 2 * x}"
LIMITS = Limits(seconds=5)


def calls(number: int) -> list[Call]:
    source = FORKED if number % 10 == 0 else PROVEN
    return [Call("double", f'{{"x": {number}}}', source), Call("double", f'{{"x": {-number}}}', source)]


def answers(number: int) -> list[str]:
    return [f'{{"doubled": {2 * number}}}', f'{{"doubled": {-2 * number}}}']


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with ray_session() as connected:
        # Ray's workers cannot import the tests: what is sent to them goes whole.
        connected.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield connected


def test_all_who_ask_on_a_node_share_one_sandbox(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox, node_actor

    def ask(number: int) -> tuple[list[str], int]:
        sandbox = NodeSandbox(2, LIMITS)
        results = asyncio.run(sandbox.run_async(calls(number)))
        return [result.output for result in results], ray.get(node_actor(2, LIMITS).process_ids.remote())[0]

    mine = ask(3)
    theirs = ray.get([ray.remote(num_cpus=0)(ask).remote(number) for number in (10, 11)])
    assert [outputs for outputs, _ in (mine, *theirs)] == [answers(3), answers(10), answers(11)]
    assert [process for _, process in theirs] == [mine[1], mine[1]]


def test_sources_are_looked_into_before_their_first_call_and_those_who_ask_notice_nothing_else(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox

    sandbox = NodeSandbox(2, LIMITS)
    sandbox.prepare(call.source or "" for call in (*calls(10), *calls(11), Call("broken", "{}", "def (")))
    assert [result.output for result in asyncio.run(sandbox.run_async(calls(11)))] == answers(11)


def test_every_call_is_answered_once_and_rightly_though_the_actor_is_killed_again_and_again(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox, node_actor

    async def story() -> list[list[str]]:
        sandbox = NodeSandbox(2, LIMITS)
        asked = [asyncio.ensure_future(sandbox.run_async(calls(number))) for number in range(600)]
        for wait in (0.2, 0.5):
            await asyncio.sleep(wait)
            os.kill(await living_process(), signal.SIGKILL)
        results = await asyncio.gather(*asked)
        assert all(result.status is CallStatus.OK for of_one in results for result in of_one)
        return [[result.output for result in of_one] for of_one in results]

    async def living_process() -> int:
        while True:
            try:
                process, *_ = await node_actor(2, LIMITS).process_ids.remote()
            except ray.exceptions.RayActorError:  # it is still on its way back from the kill before
                await asyncio.sleep(0.1)
            else:
                return int(process)

    assert asyncio.run(story()) == [answers(number) for number in range(600)]


def test_no_more_responses_are_on_their_way_than_allowed(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox

    async def most_at_once() -> int:
        sandbox = NodeSandbox(2, LIMITS, most_on_their_way=3)
        most = 0
        running = [asyncio.ensure_future(sandbox.run_async(calls(10))) for _ in range(30)]
        while not all(task.done() for task in running):
            most = max(most, 3 - sandbox._gate._value)
            await asyncio.sleep(0.001)
        return most

    assert asyncio.run(most_at_once()) == 3
