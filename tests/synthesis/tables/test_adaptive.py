"""More of what a policy solves sometimes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore, Scenario
from ftrl.errors import InputError
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.tables.adaptive import features_of, weights
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.world import World

DEEP = {"scenario": "multi_hop", "hops": 5, "distractors": 1}
EASY = {"scenario": "single_hop", "distractors": 2}
WIDE = {"scenario": "parallel_single_hop", "branches": 4, "distractors": 0}


def rates(folder: Path, *lines: dict[str, Any]) -> str:
    path = folder / "rates.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def made(like: str, count: int = 60, **options: Any) -> Counter[tuple[str, int, int]]:
    config = SynthesisConfig(out="unused", like=like, **options)
    shapes: Counter[tuple[str, int, int]] = Counter()
    for index in range(count):
        features = features_of(build(config, World(0, "train"), index, 0).environment)
        shapes[features.scenario.value, features.hops, features.distractors] += 1
    return shapes


def test_what_is_solved_sometimes_is_made_and_what_never_or_always_is_hardly(tmp_path):
    like = rates(tmp_path, {**DEEP, "solve_rate": 0.5}, {**EASY, "solve_rate": 1}, {**WIDE, "solve_rate": 0})
    shapes = made(like)
    assert shapes["multi_hop", 5, 1] >= 48
    assert sum(shapes.values()) - shapes["multi_hop", 5, 1] >= 1, "one item in ten explores"


def test_the_nearer_to_one_half_the_more_there_is(tmp_path):
    shapes = made(rates(tmp_path, {**DEEP, "solve_rate": 0.5}, {**EASY, "solve_rate": 0.95}))
    assert shapes["multi_hop", 5, 1] > 2 * shapes["single_hop", 1, 2] > 0


def test_the_same_rates_and_seed_make_the_same_tasks(tmp_path):
    like = rates(tmp_path, {**DEEP, "solve_rate": 0.5}, {**EASY, "solve_rate": 0.4})
    config = SynthesisConfig(out="unused", like=like)
    first, again = ([build(config, World(0, "train"), i, 0).environment.id for i in range(6)] for _ in "12")
    assert first == again


def test_features_are_looked_up_by_the_id_of_an_environment(tmp_path, candidate):
    task = candidate(Scenario.PARALLEL_MULTI_HOP, 0)
    with EnvironmentStore.create(str(tmp_path / "store")) as writer:
        writer.add(task.environment, task.sources)
    like = rates(tmp_path, {"environment_id": task.environment.id, "solve_rate": 0.3})
    assert list(weights(like, str(tmp_path / "store"))) == [features_of(task.environment)]


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ({**EASY, "solve_rate": 2}, "solve_rate", "less than or equal to 1"),
        ({**EASY}, "solve_rate", "required"),
        ({"solve_rate": 0.5, "environment_id": "x"}, "environment_id", "--like-tasks"),
        ({**EASY, "solve_rate": 1}, None, "solved sometimes"),
    ],
)
def test_rates_that_cannot_be_used_are_refused_with_their_line(tmp_path, line, field, words):
    with pytest.raises(InputError, match=words) as caught:
        weights(rates(tmp_path, line), None)
    assert caught.value.field == field
    assert caught.value.line == (1 if field else None)
