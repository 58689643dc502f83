"""What collecting refuses before anything is started, and what it has no need to start anything for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftrl.environments import open_tasks
from ftrl.errors import InputError
from ftrl.models import weights_hash
from ftrl.rollouts import (
    CollectConfig,
    Collection,
    EpisodeSettings,
    PolicyIdentity,
    Trajectory,
    TrajectoryStore,
    collect,
)
from ftrl.rollouts.settings import settings_from

Play = Callable[..., Trajectory]


@pytest.fixture
def config(tmp_path: Path, tiny: Path, tasks_file: Callable[[Path, int], str]) -> CollectConfig:
    return CollectConfig(tasks=tasks_file(tmp_path, 2), model=str(tiny), out=str(tmp_path / "rollouts"))


@pytest.fixture
def finished(config: CollectConfig, play: Play) -> TrajectoryStore:
    """A store in which both tasks are done."""
    identity = PolicyIdentity(name=config.model, weights=weights_hash(config.model))
    with TrajectoryStore.create(config.out, run="run") as store:
        store.begin(Collection(iteration=0, policy=identity, settings=config.episode))
        store.append([play(environment=environment) for environment in open_tasks(config.tasks)])
        return store


def test_a_store_that_is_there_is_not_touched_without_resume(config: CollectConfig, finished: TrajectoryStore) -> None:
    with pytest.raises(InputError, match="store here already"):
        collect(config, display=False)
    assert len(TrajectoryStore.open(config.out)) == 2


def test_nothing_is_started_where_nothing_is_left_to_do(config: CollectConfig, finished: TrajectoryStore) -> None:
    report = collect(config.model_copy(update={"resume": True}), display=False)
    assert (report.episodes, report.collected, report.f1) == (2, 0, None)


def test_going_on_with_other_settings_is_refused(config: CollectConfig, finished: TrajectoryStore) -> None:
    hotter = {"resume": True, "episode": EpisodeSettings(temperature=0.5)}
    with pytest.raises(InputError, match="temperature"):
        collect(config.model_copy(update=hotter), display=False)


def test_going_on_as_another_run_is_refused(config: CollectConfig, finished: TrajectoryStore) -> None:
    with pytest.raises(InputError, match="of run 'run', not 'other'"):
        collect(config.model_copy(update={"resume": True, "run": "other"}), display=False)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model", "/nowhere", "there is no model folder here"),
        ("model", "openai-api/local/some", "where the server is"),
        ("model", "openai-api/local", "say openai-api/SERVICE/NAME"),
        ("budget_usd", 1.0, "costs nobody dollars"),
        ("episode", EpisodeSettings(reasoning_effort="low"), "is for providers' models"),
        ("tasks", "/nowhere.jsonl", "no such file"),
        ("episode", EpisodeSettings(profile="generous"), "no scoring profile 'generous'"),
        ("episode", EpisodeSettings(parser="generous"), "no parser 'generous'; choose qwen, llama31 or one of vLLM's"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing_behind(
    config: CollectConfig, field: str, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        collect(config.model_copy(update={field: value}), display=False)
    assert not Path(config.out).exists()


def test_seeds_are_refused_where_they_would_kill_the_engine(
    config: CollectConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftrl.rollouts.identity.vllm_runs_on_cpu", lambda: True)
    with pytest.raises(InputError, match="CPU build dies of seeds"):
        collect(config.model_copy(update={"episode": EpisodeSettings(seed=1)}), display=False)


def test_a_broken_task_is_found_before_an_engine_starts(config: CollectConfig) -> None:
    with Path(config.tasks).open("a") as file:
        file.write("{broken\n")
    with pytest.raises(InputError, match=r"tasks\.jsonl:3"):
        collect(config, display=False)
    assert not Path(config.out).exists()


def test_a_value_that_cannot_be_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"field 'samples'.*greater than or equal to 1, not 0"):
        settings_from(CollectConfig, tasks="t", model="m", out="o", samples=0)
