"""Sandboxes for the tests, and a look at the processes around them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftrl.sandbox import Call, Limits, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """For honest tools: the limits of the contract."""
    with Sandbox(workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def strict_sandbox() -> Iterator[Sandbox]:
    """For hostile tools: as jailed as can be, and out of patience soon."""
    os.environ["FTRL_CANARY"] = "secret-of-the-host"
    with Sandbox(workers=2, limits=Limits(seconds=1.5, memory_bytes=256 * 2**20), cache_bytes=0) as running:
        running.run([Call("one", "{}", "def one():\n    return 1")] * 200)  # starts the warm interpreters, too
        yield running
    del os.environ["FTRL_CANARY"]


def children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(after_name[1]), []).append(int(entry.name))
    return children


def descendants(process: int) -> set[int]:
    """All processes below one, zombies too."""
    children = children_by_parent()
    found: set[int] = set()
    waiting = [process]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


@pytest.fixture
def processes_below() -> Callable[[int], set[int]]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to see processes")
    return descendants


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def soon() -> Callable[[Callable[[], bool]], bool]:
    """Whether something comes to hold within some seconds."""
    return wait_until
