"""Honest calls of the published tasks are paid under the strict profile."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import open_tasks
from ftrl.rewards import Context, Earlier, ResponseScoring, TaskFacts, profile_named
from ftrl.sandbox import Sandbox

Key = tuple[int, str, str]


@pytest.mark.parametrize("with_history", [False, True], ids=["first_turn", "after_the_other_calls"])
def test_at_least_99_per_cent_of_the_golds_that_can_be_reached_honestly_tick(
    shared: Path, sandbox: Sandbox, with_history: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = open_tasks(str(shared / "data/ftrl_test_dev100.jsonl"))
    clean: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    with (shared / "golden/calls_dev.jsonl").open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            if line.get("quality") == "clean":
                clean[line["task"], line["name"], line["ticks_gold"]].append(line)
    assert len(clean) == 404
    first = {key: calls[0] for key, calls in clean.items()}

    scorings = []
    for (task, tool, gold), line in first.items():
        environment = tasks[task]
        history = tuple(
            Earlier(other["name"], other["arguments"], other["output"])
            for key, other in first.items()
            if with_history and key[0] == task and key != (task, tool, gold)
        )
        arguments = json.loads(line["arguments"])
        scorings.append(
            ResponseScoring(
                f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>",
                {tool: [gold]} if with_history else environment.unsolved(),
                tasks.sources(environment),
                answer=environment.answer,
                profiles=(profile_named("strict"),),
                context=Context(TaskFacts.of(environment), history),
            )
        )
    results = iter(sandbox.run([call for scoring in scorings for call in scoring.calls]))
    probes = [scoring.probes([next(results) for _ in scoring.calls]) for scoring in scorings]
    probed = iter(sandbox.run([call for some in probes for call in some]))
    scores = [scoring.scores([next(probed) for _ in some])[0] for scoring, some in zip(scorings, probes, strict=True)]

    ticked = sum(bool(score.ticked) for score in scores)
    full = sum(score.value == 1.0 for score in scores)
    with capsys.disabled():
        print(f"\nstrict ticks {ticked} of {len(scores)} honest golds ({ticked / len(scores):.1%}), {full} in full")
    assert ticked >= 0.99 * len(scores)
    assert full >= 0.88 * len(scores)
