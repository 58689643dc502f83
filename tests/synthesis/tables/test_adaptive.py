"""More of what a policy solves sometimes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ftrl.commands import synth
from ftrl.commands.synth_like import solve_rates
from ftrl.environments import Environment, EnvironmentStore, Scenario
from ftrl.errors import InputError
from ftrl.rollouts import (
    Collection,
    EpisodeSettings,
    Metrics,
    PolicyIdentity,
    Trajectory,
    TrajectoryStatus,
    TrajectoryStore,
)
from ftrl.rollouts.trajectory import trajectory_id
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


def episode(task: Environment, sample: int, recall: float) -> Trajectory:
    """An episode that brought this share of the golds."""
    return Trajectory(
        id=trajectory_id("run", task.id, sample, 0),
        run="run",
        environment_id=task.id,
        policy=PolicyIdentity(name="script"),
        iteration=0,
        sample=sample,
        status=TrajectoryStatus.ANSWERED,
        messages=({"role": "user", "content": task.question},),
        metrics=(Metrics(profile="strict-1", precision=1.0, recall=recall, f1=recall),),
    )


@pytest.fixture
def played(tmp_path, candidate):
    """A trajectory store: one task solved sometimes, one always; and the store of both."""
    sometimes, always = (candidate(Scenario.MULTI_HOP, index) for index in (0, 1))
    with EnvironmentStore.create(str(tmp_path / "tasks")) as writer:
        for task in (sometimes, always):
            writer.add(task.environment, task.sources)
    first = Collection(iteration=0, policy=PolicyIdentity(name="script"), settings=EpisodeSettings())
    with TrajectoryStore.create(str(tmp_path / "played"), run="run") as store:
        store.begin(first)
        store.append([episode(sometimes.environment, sample, recall) for sample, recall in enumerate((1.0, 0.5, 0.0))])
        store.append([episode(always.environment, sample, 1.0) for sample in range(2)])
    return sometimes.environment


def test_a_trajectory_store_tells_solve_rates_by_what_its_episodes_brought(tmp_path, played):
    out = str(tmp_path / "out")
    path = solve_rates(str(tmp_path / "played"), out, resume=False)
    told = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert {line["environment_id"]: line["solve_rate"] for line in told}[played.id] == 0.5
    assert sorted(line["solve_rate"] for line in told) == [0.5, 1.0]
    assert list(weights(path, str(tmp_path / "tasks"))) == [features_of(played)]
    assert path.startswith(out), "kept beside the tasks that were made by it"


def test_a_resumed_run_goes_by_the_rates_that_it_began_with(tmp_path, played):
    store, out = str(tmp_path / "played"), str(tmp_path / "out")
    before = Path(solve_rates(store, out, resume=False)).read_text()
    with TrajectoryStore.open(store) as more:
        more.append([episode(played, 3, 1.0)])
    assert Path(solve_rates(store, out, resume=True)).read_text() == before
    assert Path(solve_rates(store, out, resume=False)).read_text() != before


def test_the_command_takes_a_trajectory_store(tmp_path, played):
    app = typer.Typer()
    app.callback()(lambda: None)
    synth.register(app)
    given = ["--like", str(tmp_path / "played"), "--like-tasks", str(tmp_path / "tasks"), "--count", "3"]
    result = CliRunner().invoke(app, ["synth", "--out", str(tmp_path / "out"), *given])
    assert result.exit_code == 0, result.output
    assert len(EnvironmentStore.open(str(tmp_path / "out"))) == 3


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
