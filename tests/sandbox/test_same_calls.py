"""Calls of one batch that are the very same: made once where that is the same as making each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ftrl.sandbox import Call, CallStatus, Limits, Sandbox
from ftrl.sandbox.warm import WarmPool

SQUARE = "def square(x):\n    return x * x"
SLOW = "def spin(x):\n    while x:\n        pass\n    return 0"
CLOCK = "def now():\n    from datetime import datetime\n    return datetime.now().isoformat()"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls that reached a warm interpreter."""
    seen: list[Call] = []
    run = WarmPool.run

    def noted(self: WarmPool, calls: Sequence[Call], *more: Any) -> Any:
        seen.extend(calls)
        return run(self, calls, *more)

    monkeypatch.setattr(WarmPool, "run", noted)
    return seen


def square(x: int) -> Call:
    return Call("square", f'{{"x": {x}}}', SQUARE)


def test_the_same_calls_of_many_responses_are_made_once_and_all_are_answered(made: list[Call]) -> None:
    groups = [[square(number % 7), square(number % 5)] for number in range(200)]
    with Sandbox(2) as sandbox:
        results = sandbox.run_groups(groups)
    assert [[int(one.output) for one in of] for of in results] == [[(n % 7) ** 2, (n % 5) ** 2] for n in range(200)]
    assert len(made) < 30  # seven, and those that were sent again since the first was back by then


def test_without_a_cache_each_is_made(made: list[Call]) -> None:
    with Sandbox(1, cache_bytes=0) as sandbox:
        sandbox.run_groups([[square(3)]] * 100)
    assert len(made) == 100


def test_what_asks_the_clock_is_made_each_time(made: list[Call]) -> None:
    with Sandbox(1) as sandbox:
        results = sandbox.run_groups([[Call("now", "{}", CLOCK)]] * 20)
    assert len({of[0].output for of in results}) == 20


def test_a_call_that_hung_says_nothing_about_the_same_one() -> None:
    calls = [Call("spin", '{"x": 1}', SLOW), Call("spin", '{"x": 0}', SLOW)] * 3
    with Sandbox(2, Limits(seconds=0.5)) as sandbox:
        results = [result for (result,) in sandbox.run_groups([[call] for call in calls])]
    assert [result.status for result in results] == [CallStatus.TIMEOUT, CallStatus.OK] * 3
    assert [result.output for result in results[1::2]] == ["0"] * 3
