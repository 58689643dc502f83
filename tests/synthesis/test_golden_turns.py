from __future__ import annotations

import pytest

from ftrl.environments import Scenario
from ftrl.environments.golden import golden_turns
from ftrl.rewards import score_trajectory
from ftrl.tool_calls import parse_qwen


@pytest.mark.parametrize("style", ["compact", "rich"])
@pytest.mark.parametrize("scenario", list(Scenario))
def test_the_golden_trajectory_is_perfect_and_any_call_left_out_shows(candidate, sandbox, scenario, style):
    made = candidate(scenario, 1, style=style)
    environment, sources = made.environment, made.sources
    turns = golden_turns(environment)

    whole = score_trajectory(turns, environment.unsolved(), sources, sandbox)
    assert (whole.precision, whole.recall, whole.f1) == (1.0, 1.0, 1.0)
    for number, turn in enumerate(turns[:-1]):
        for call in turn.split("</tool_call>")[:-1]:
            rest = turn.replace(f"{call}</tool_call>", "")
            less = score_trajectory(
                [t for t in (*turns[:number], rest, *turns[number + 1 :]) if t.strip()],
                environment.unsolved(),
                sources,
                sandbox,
            )
            assert less.recall < 1.0


def test_calls_that_do_not_wait_for_each_other_stand_in_one_turn(candidate):
    environment = candidate(Scenario.PARALLEL_MULTI_HOP).environment
    first, second, answer = golden_turns(environment)
    assert len(parse_qwen(first).calls) == 2
    assert len(parse_qwen(second).calls) == 2
    assert answer == environment.answer


def test_a_task_without_a_trace_has_no_golden_trajectory(candidate):
    environment = candidate().environment.model_copy(update={"trace": ()})
    with pytest.raises(ValueError, match="no trace"):
        golden_turns(environment)


def test_dependencies_in_a_circle_are_an_error(candidate):
    environment = candidate().environment
    first, second = environment.trace
    circle = (first.model_copy(update={"depends_on": (second.id,)}), second)
    with pytest.raises(ValueError, match="circle"):
        golden_turns(environment.model_copy(update={"trace": circle}))
