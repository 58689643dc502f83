"""The episode loop: when it ends, what is recorded, what counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ftrl.environments import Environment
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts import EpisodeSettings, Trajectory, TrajectoryStatus
from ftrl.rollouts.settings import settings_from
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


@pytest.mark.parametrize(("profile", "other"), [("reference", "strict-1"), ("strict", "reference-2025-08")])
def test_every_episode_is_scored_under_every_profile_its_own_first(
    play: Play, scripts: Any, profile: str, other: str
) -> None:
    again = scripts.say(("capital_of", {"country": "Atlantis"}), ("capital_of", {"country": "Atlantis"}))
    trajectory = play([again, "Done."], profile=profile)
    assert [metrics.profile for metrics in trajectory.metrics][1:] == [other]
    assert trajectory.metrics_of(other).f1 == trajectory.metrics[0].f1 == pytest.approx(2 / 4)


def test_what_only_one_profile_reads_as_a_call_is_no_call_that_brought_something(play: Play, scripts: Any) -> None:
    thought = f"<think>{scripts.capital}</think>"
    reference, strict = play([thought, "Done."]).metrics
    assert (reference.precision, reference.recall) == (1.0, 0.5)
    assert (strict.precision, strict.recall) == (0.0, 0.0)
    hidden = f"{scripts.capital}\nand\n{scripts.population}"  # the published parser loses the second call
    reference, strict = play([hidden, "Done."]).metrics
    assert (reference.precision, strict.precision) == (1.0, 0.5)


def test_a_strict_episode_runs_no_call_made_in_thinking(play: Play, scripts: Any) -> None:
    trajectory = play([f"<think>{scripts.capital}</think>Poseidonis"], profile="strict")
    assert trajectory.calls == ()
    assert trajectory.status is TrajectoryStatus.ANSWERED


def test_tools_are_probed_where_arguments_come_from_nowhere(play: Play, scripts: Any, environment: Environment) -> None:
    source = {
        "capital_of": "def capital_of(country):\n    return 'Poseidonis'\n",
        "population_of": "def population_of(city): pass",
    }
    for country, solved in (("Zqxv", 0.0), ("Atlantis", 0.5)):
        trajectory = play([scripts.say(("capital_of", {"country": country})), "Done."], sources=source)
        assert trajectory.metrics_of("strict-1").recall == solved
        assert trajectory.metrics_of("reference-2025-08").recall == 0.5
        assert len(trajectory.calls) == 1


def test_outputs_can_be_cut_off_and_what_is_cut_off_does_not_count(play: Play, scripts: Any) -> None:
    trajectory = play([scripts.capital, "Done."], max_output_chars=4)
    assert trajectory.messages[2]["content"] == trajectory.calls[0].output == "Pose"
    assert trajectory.metrics_of("strict-1").recall == 0.0
    assert trajectory.metrics_of("reference-2025-08").recall == 0.5


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


def test_an_episode_that_goes_round_in_circles_can_be_stopped(play: Play, scripts: Any) -> None:
    nothing_new = [scripts.capital, scripts.say(("no_such_tool", {}))]
    texts = [scripts.capital, scripts.population, *nothing_new, scripts.population, "Done."]
    stopped = play(texts, profile="strict", stop_after=3)
    assert stopped.status is TrajectoryStatus.STOPPED
    assert len(stopped.calls) == 5
    assert stopped.metrics_of("strict-1").recall == 1.0
    assert play(texts, profile="strict", stop_after=4).status is TrajectoryStatus.ANSWERED
    assert play(texts).status is TrajectoryStatus.ANSWERED
    news_between = [scripts.capital, scripts.capital, scripts.population, scripts.population, "Done."]
    assert play(news_between, profile="strict", stop_after=2).status is TrajectoryStatus.ANSWERED


def test_the_reference_profile_stops_no_episode_early() -> None:
    with pytest.raises(InputError, match="never stopped early under the profile 'reference'"):
        settings_from(EpisodeSettings, stop_after=3)


def test_a_budget_of_tokens_needs_a_policy_that_counts_them(play: Play) -> None:
    with pytest.raises(FtrlError, match="no budget of tokens holds"):
        play(max_tokens=100)


def test_seeds_are_the_same_for_the_same_task_and_sample_and_differ_otherwise(play: Play) -> None:
    def seed(**key: Any) -> int | None:
        return play(seed=7, **key).seed

    assert seed() == seed(run="other")
    assert len({seed(), seed(sample=1), seed(iteration=1), play(seed=8).seed}) == 4
    assert play().seed is None


def test_a_script_that_is_too_short_is_an_error(play: Play, scripts: Any) -> None:
    with pytest.raises(FtrlError, match="no further turn"):
        play([scripts.capital])
