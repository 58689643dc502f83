"""The published collector's trajectories, replayed through the episode loop and the real sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Tasks, open_tasks
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, Trajectory, run_episode, snapshots
from ftrl.sandbox import Sandbox

Pair = tuple[dict[str, Any], Trajectory]


@pytest.fixture(scope="module")
def tasks(shared: Path) -> Tasks:
    return open_tasks(str(shared / "data/ftrl_test_dev100.jsonl"))


@pytest.fixture(scope="module")
def pairs(shared: Path, tasks: Tasks, sandbox: Sandbox) -> list[Pair]:
    """The golden lines and our trajectories of the same texts."""
    with (shared / "golden/trajectories_dev.jsonl").open(encoding="utf-8") as file:
        golden = [json.loads(line) for line in file]

    async def replay(line: dict[str, Any]) -> Trajectory:
        environment = tasks[line["task"]]
        settings = EpisodeSettings(max_turns=line["max_turns"])
        sources = tasks.sources(environment)
        return await run_episode(
            environment, sources, ScriptedPolicy(line["turns"]), sandbox, settings, EpisodeKey("golden")
        )

    async def replay_all() -> list[Trajectory]:
        return list(await asyncio.gather(*map(replay, golden)))

    played = asyncio.run(replay_all())
    assert len(played) == 200
    return list(zip(golden, played, strict=True))


def differing(pairs: list[Pair], same: Any) -> list[str]:
    return [line["id"] for line, trajectory in pairs if not same(line, trajectory)]


def test_precision_recall_and_f1_are_the_published_ones(pairs: list[Pair]) -> None:
    def same(line: dict[str, Any], trajectory: Trajectory) -> bool:
        metrics = trajectory.metrics_of("reference-2025-08")
        return all(abs(getattr(metrics, name) - line[name]) <= 1e-9 for name in ("precision", "recall", "f1"))

    assert differing(pairs, same) == []


def test_the_conversations_have_the_published_shape(pairs: list[Pair]) -> None:
    assert differing(pairs, lambda line, t: [message["role"] for message in t.messages] == line["roles"]) == []
    assert differing(pairs, lambda line, t: len(t.messages) == line["n_messages"]) == []


def test_the_tools_answer_as_published(pairs: list[Pair]) -> None:
    assert differing(pairs, lambda line, t: [call.output for call in t.calls] == line["tool_outputs"]) == []
    assert differing(pairs, lambda line, t: list(_tool_messages(t)) == line["tool_outputs"]) == []


def test_the_snapshots_are_the_published_ones(pairs: list[Pair], tasks: Tasks) -> None:
    def same(line: dict[str, Any], trajectory: Trajectory) -> bool:
        made = [
            {"n_messages": len(one.messages), "unsolved_set": one.unsolved, "solve_rate": one.solve_rate}
            for one in snapshots(tasks[line["task"]], trajectory)
        ]
        wanted = [{**one, "unsolved_set": json.loads(one["unsolved_set"])} for one in line["snapshots"]]
        return made == wanted

    assert differing(pairs, same) == []


def _tool_messages(trajectory: Trajectory) -> Iterator[str]:
    return (message["content"] for message in trajectory.messages if message["role"] == "tool")
