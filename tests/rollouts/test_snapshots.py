"""Per-step samples of an episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftrl.environments import Environment
from ftrl.errors import FtrlError
from ftrl.rewards import Earlier
from ftrl.rollouts import Trajectory, TrajectoryStatus, snapshots
from ftrl.rollouts.snapshots import earlier_calls

Play = Callable[..., Trajectory]


def test_there_is_one_for_the_task_and_one_after_every_turn_with_calls(play: Play, environment: Environment) -> None:
    steps = list(snapshots(environment, play()))
    assert [step.step for step in steps] == [0, 1, 2]
    assert [len(step.messages) for step in steps] == [1, 3, 5]
    assert [step.solve_rate for step in steps] == [0.0, 0.5, 1.0]
    assert [step.unsolved for step in steps] == [
        {"capital_of": ["Poseidonis"], "population_of": ["1200"]},
        {"capital_of": [], "population_of": ["1200"]},
        {"capital_of": [], "population_of": []},
    ]


def test_an_episode_without_calls_has_only_its_task(play: Play, environment: Environment) -> None:
    (only,) = snapshots(environment, play(["I do not know."]))
    assert only.messages == tuple(environment.messages())


def test_they_are_made_only_when_asked_for(play: Play, environment: Environment) -> None:
    steps = snapshots(environment, play())
    assert next(steps).step == 0
    assert next(steps).step == 1


def test_another_tasks_trajectory_is_refused(play: Play, environment: Environment) -> None:
    other: Any = environment.model_copy(update={"id": "other"})
    with pytest.raises(FtrlError, match="not of other"):
        next(snapshots(other, play()))


def test_an_episode_that_failed_through_our_fault_has_none(play: Play, environment: Environment) -> None:
    failed = play().model_copy(update={"status": TrajectoryStatus.INFRASTRUCTURE})
    with pytest.raises(FtrlError, match="fault of ours"):
        next(snapshots(environment, failed))


def test_the_calls_before_a_step_are_read_off_its_conversation(
    play: Play, environment: Environment, scripts: Any
) -> None:
    both = scripts.say(("capital_of", {"country": "Lemuria"}), ("capital_of", {"country": "Atlantis"}))
    steps = list(snapshots(environment, play([both, "Done."])))
    assert earlier_calls(steps[0].messages) == ()
    assert earlier_calls(steps[1].messages) == (
        Earlier("capital_of", '{"country": "Lemuria"}', "Ram"),
        Earlier("capital_of", '{"country": "Atlantis"}', "Poseidonis"),
    )
