"""What the published test set pays an agent that makes exactly the right calls, and one that says nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ftrl.environments import open_tasks
from ftrl.rollouts import EpisodeKey, EpisodeSettings, Metrics, ScriptedPolicy, run_episode
from ftrl.sandbox import Sandbox

DEFECTIVE = {0: "age_calculator", 5: "event_location_finder"}
"""Row → tool that never returns its gold: one imports a library that is not there, one leaves the state out."""


def right_calls(shared: Path) -> dict[tuple[int, str, str], str]:
    """(row, tool, gold) → a call that the published code brings back the gold for; the cleanest that is known."""
    rank = ("clean", "validation", "echo", None)
    lines = [json.loads(line) for line in (shared / "golden" / "calls_dev.jsonl").read_text().splitlines()]
    found: dict[tuple[int, str, str], str] = {}
    for line in sorted(lines, key=lambda line: (rank.index(line.get("quality")), line["kind"] != "gold")):
        if line["ticks_gold"] is not None and not line["is_error"]:
            call = f'<tool_call>{{"name": "{line["name"]}", "arguments": {line["arguments"]}}}</tool_call>'
            found.setdefault((line["task"], line["name"], line["ticks_gold"]), call)
    return found


@pytest.fixture(scope="module")
def played(shared: Path, one_sandbox: Sandbox) -> dict[str, list[Metrics]]:
    """Agent → its reference metrics on the 100 tasks."""
    tasks = open_tasks(str(shared / "data" / "ftrl_test_dev100.jsonl"))
    known = right_calls(shared)

    async def play(row: int, texts: list[str]) -> Metrics:
        policy, key = ScriptedPolicy(texts), EpisodeKey("test")
        environment = tasks[row]
        sources = tasks.sources(environment)
        trajectory = await run_episode(environment, sources, policy, one_sandbox, EpisodeSettings(), key)
        return trajectory.metrics[0]

    def perfect(row: int) -> list[str]:
        calls = [known.get((row, gold.tool, gold.value)) for gold in tasks[row].golds]
        return [*(call for call in calls if call), tasks[row].answer or "Done."]

    async def everybody() -> dict[str, list[Metrics]]:
        return {
            "perfect": [await play(row, perfect(row)) for row in range(len(tasks))],
            "silent": [await play(row, [""]) for row in range(len(tasks))],
        }

    return asyncio.run(everybody())


def test_a_perfect_agent_scores_1_on_all_tasks_but_for_two_defective_ones(played: dict[str, list[Metrics]]) -> None:
    below = {row for row, metrics in enumerate(played["perfect"]) if metrics.f1 < 1}
    assert below == set(DEFECTIVE)
    assert all(metrics.precision == 1 for metrics in played["perfect"])
    assert played["perfect"][0].recall == pytest.approx(6 / 7)
    assert played["perfect"][5].recall == pytest.approx(2 / 3)


def test_a_silent_agent_has_no_recall(played: dict[str, list[Metrics]]) -> None:
    assert {(metrics.precision, metrics.recall, metrics.f1) for metrics in played["silent"]} == {(1.0, 0.0, 0.0)}
