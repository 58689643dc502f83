"""All calls of a worker together fit into the memory that it may have, where the system lets us say so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ftrl.sandbox import Call, CallStatus, Limits, Sandbox, isolation_report
from ftrl.sandbox.memory_group import MemoryGroup

GREEDY = """
def hold(mib):
    import random, time
    held = bytearray(mib * 2**20)
    for at in range(0, len(held), 4096):
        held[at] = 1
    time.sleep(2)
    return "held"
"""


@pytest.fixture(autouse=True)
def needs_groups() -> None:
    layer = next(layer for layer in isolation_report() if layer.name == "control group for memory")
    if not layer.active:
        pytest.skip(f"no control group can be made here: {layer.why_not}")


def test_many_calls_side_by_side_cannot_use_more_than_their_worker_may() -> None:
    limits = Limits(seconds=20, memory_bytes=192 * 2**20)
    with Sandbox(workers=1, limits=limits) as sandbox:
        results = sandbox.run_groups([[Call("hold", '{"mib": 150}', GREEDY)] for _ in range(12)])
        statuses = [result.status for (result,) in results]
        assert CallStatus.INFRASTRUCTURE not in statuses
        assert any(status is not CallStatus.OK for status in statuses)
        assert sandbox.run([Call("f", "{}", "def f():\n    import random\n    return 1")])[0].output == "1"


def test_no_group_is_left_behind() -> None:
    before = groups()
    with Sandbox(workers=1) as sandbox:
        sandbox.run([Call("f", "{}", "def f():\n    return 1")])
        made = groups() - before
        assert made
    assert not made & groups()


def test_groups_of_processes_that_are_gone_are_swept() -> None:
    group = MemoryGroup(2**20)
    dead = subprocess.Popen(["true"])
    dead.wait()
    stale = group._folder.with_name(f"ftrl-sandbox-{dead.pid}-0")
    stale.mkdir()
    group.remove()
    other = MemoryGroup(2**20)
    other.remove()
    assert not stale.exists()


def groups() -> set[Path]:
    probe = MemoryGroup(2**20)
    probe.remove()
    return set(probe._folder.parent.glob(f"ftrl-sandbox-{os.getpid()}-*"))
