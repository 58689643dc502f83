"""The episode loop: when it ends, what is recorded, what counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ftrl.errors import FtrlError
from ftrl.rollouts import Trajectory, TrajectoryStatus
from ftrl.sandbox import Call, CallResult, CallStatus

Play = Callable[..., Trajectory]


def test_an_episode_ends_at_the_first_turn_without_calls(play: Play) -> None:
    trajectory = play()
    assert trajectory.status is TrajectoryStatus.ANSWERED
    assert [message["role"] for message in trajectory.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert trajectory.metrics[0].f1 == 1.0


def test_calls_and_their_results_belong_together(play: Play, scripts: Any) -> None:
    both = scripts.say(("capital_of", {"country": "Lemuria"}), ("capital_of", {"country": "Atlantis"}))
    trajectory = play([both, "Done."])
    assistant, first, second = trajectory.messages[1:4]
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_0_0", "call_0_1"]
    assert (first["tool_call_id"], first["content"]) == ("call_0_0", "Ram")
    assert (second["tool_call_id"], second["content"]) == ("call_0_1", "Poseidonis")
    assert [call.gold for call in trajectory.calls] == [None, 0]
    assert [call.turn for call in trajectory.calls] == [0, 0]


def test_after_the_last_turn_allowed_nothing_more_is_said(play: Play, scripts: Any) -> None:
    trajectory = play([scripts.capital] * 5, max_turns=3)
    assert trajectory.status is TrajectoryStatus.MAX_TURNS
    assert len(trajectory.calls) == 3
    assert trajectory.metrics[0].precision == pytest.approx(1 / 3)
    assert trajectory.messages[-1]["role"] == "tool"


def test_a_tool_that_does_not_exist_is_the_models_error(play: Play, scripts: Any) -> None:
    trajectory = play([scripts.say(("no_such_tool", {})), "I give up."])
    assert trajectory.status is TrajectoryStatus.ANSWERED
    assert trajectory.calls[0].call_status is CallStatus.TOOL_ERROR
    assert trajectory.metrics[0].f1 == 0.0


def test_a_tool_that_raises_is_the_models_error(play: Play, scripts: Any) -> None:
    trajectory = play([scripts.say(("population_of", {"city": "Nowhere"})), "I give up."])
    assert trajectory.calls[0].call_status is CallStatus.TOOL_ERROR
    assert "Nowhere" in trajectory.messages[2]["content"]


class FailingSandbox:
    """Fails as the sandbox does when its own machinery breaks."""

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        return [CallResult("no worker could be started", CallStatus.INFRASTRUCTURE, 0.0) for _ in calls]


def test_a_failure_of_ours_is_never_scored(play: Play) -> None:
    trajectory = play(tools=FailingSandbox())
    assert trajectory.status is TrajectoryStatus.INFRASTRUCTURE
    assert trajectory.metrics == ()
    assert "no worker could be started" in str(trajectory.error)


def test_lone_surrogates_do_not_get_into_a_trajectory(play: Play) -> None:
    call = '<tool_call>{"name": "capital_of", "arguments": {"country": "\\ud83d"}}</tool_call>'
    trajectory = play([call, "Done \ud83d."])
    assert "\ufffd" in trajectory.calls[0].arguments
    assert trajectory.messages[-1]["content"] == "Done \ufffd."
    trajectory.model_dump_json().encode()


def test_the_id_depends_on_run_task_sample_and_iteration_only(play: Play) -> None:
    one = play()
    assert one.id == play(["No."]).id
    others = [play(run="other"), play(iteration=1), play(sample=1)]
    assert len({one.id, *(other.id for other in others)}) == 4


def test_a_script_that_is_too_short_is_an_error(play: Play, scripts: Any) -> None:
    with pytest.raises(FtrlError, match="no further turn"):
        play([scripts.capital])
