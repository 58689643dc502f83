"""How sure figures are: intervals that hold the truth as often as they say, and paired comparisons."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ftrl.errors import InputError
from ftrl.evaluation.statistics import compare, estimate, pass_hat_k

WORLDS = 1000
"""Simulated evaluations; the coverage of that many is known to about 0.7 points."""


def by_task(scores: NDArray[Any]) -> dict[int, list[float]]:
    return {task: [float(score) for score in of_task] for task, of_task in enumerate(scores)}


@pytest.mark.parametrize("tasks", [20, 165])
@pytest.mark.parametrize("trials", [1, 4])
@pytest.mark.parametrize("ability", [(1, 4), (2, 2), (5, 2)])
def test_95_percent_intervals_hold_a_models_true_ability_93_to_97_times_in_100(
    tasks: int, trials: int, ability: tuple[int, int]
) -> None:
    random = np.random.default_rng([tasks, trials, *ability])
    truth = ability[0] / sum(ability)
    held = 0
    for _ in range(WORLDS):
        chances = random.beta(*ability, size=(tasks, 1))
        found = estimate(by_task(random.binomial(1, chances, size=(tasks, trials))))
        held += found.low <= truth <= found.high
    assert 0.93 <= held / WORLDS <= 0.97 + 0.007  # the last: what so many worlds leave open


def test_intervals_hold_the_truth_for_scores_between_0_and_1_and_for_means_of_scenarios() -> None:
    random = np.random.default_rng(7)
    abilities = {"a": (0.8, 1.2), "b": (3, 1), "c": (1, 5), "d": (2, 2)}
    truth = np.mean([a / (a + b) for a, b in abilities.values()])
    held = 0
    for _ in range(WORLDS):
        drawn = {(name, i): [x] for name, ab in abilities.items() for i, x in enumerate(random.beta(*ab, size=25))}
        found = estimate(drawn, strata={task: task[0] for task in drawn})
        held += bool(found.low <= truth <= found.high)
    assert 0.93 <= held / WORLDS <= 0.97


@pytest.mark.parametrize("tasks", [20, 100])
@pytest.mark.parametrize("gain", [0.0, 0.15])
def test_intervals_of_a_difference_hold_the_true_gain_and_p_values_are_honest(tasks: int, gain: float) -> None:
    random = np.random.default_rng([tasks, round(100 * gain)])
    held = significant = 0
    for _ in range(WORLDS):
        chances = random.beta(1, 1, size=(tasks, 1)) * (1 - gain)
        better = by_task(random.binomial(1, chances + gain, size=(tasks, 2)))
        found = compare(better, by_task(random.binomial(1, chances, size=(tasks, 2))))
        held += found.low <= gain <= found.high
        significant += found.p_value < 0.05
    assert 0.93 <= held / WORLDS <= 0.97
    if gain == 0:
        assert significant / WORLDS <= 0.06


def test_trials_of_one_task_are_averaged_before_tasks_are() -> None:
    found = estimate({"a": [1, 1, 1, 1], "b": [0], "c": [0]})
    assert found.mean == pytest.approx(1 / 3)
    assert (found.tasks, found.trials) == (3, 6)
    assert found.standard_error == pytest.approx(np.std([1, 0, 0], ddof=1) / math.sqrt(3))


def test_more_trials_of_the_same_tasks_do_not_pass_for_more_tasks() -> None:
    once = estimate({task: [task % 2] for task in range(20)})
    ten_times = estimate({task: [task % 2] * 10 for task in range(20)})
    assert (once.low, once.high) == (ten_times.low, ten_times.high)


def test_the_mean_of_scenarios_weighs_scenarios_alike() -> None:
    scenarios = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "f": "y"}
    found = estimate({task: [float(scenario == "x")] for task, scenario in scenarios.items()}, scenarios)
    assert found.mean == 0.5


def test_failing_every_task_does_not_prove_that_a_model_never_succeeds() -> None:
    found = estimate({task: [0] for task in range(20)})
    assert (found.mean, found.low) == (0, 0)
    assert 0.1 < found.high < 0.25


def test_one_task_says_nothing_of_others() -> None:
    found = estimate({"only": [1, 1, 0]})
    assert (found.standard_error, found.low, found.high) == (None, 0, 1)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=30))
@settings(max_examples=200)
def test_an_interval_lies_in_0_to_1_and_around_its_mean(scores: list[list[float]]) -> None:
    found = estimate(dict(enumerate(scores)))
    assert 0 <= found.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.high <= 1


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.5]}, {"a": [float("nan")]}])
def test_what_cannot_be_averaged_is_refused(scores: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="task"):
        estimate(scores)


def test_pass_hat_k_is_the_chance_that_k_trials_all_succeed() -> None:
    scores = {"always": [1, 1, 1, 1], "half": [1, 1, 0, 0], "never": [0, 0, 0, 0]}
    assert pass_hat_k(scores, 1).mean == pytest.approx(0.5)
    assert pass_hat_k(scores, 2).mean == pytest.approx((1 + 1 / 6 + 0) / 3)
    assert pass_hat_k(scores, 4).mean == pytest.approx(1 / 3)
    assert pass_hat_k(scores, 4).trials == 12
    with pytest.raises(ValueError, match=r"pass\^5"):
        pass_hat_k(scores, 5)


def test_a_comparison_pairs_tasks_and_names_those_that_flipped() -> None:
    first = {"a": [1], "b": [1], "c": [0], "d": [1], "only here": [1]}
    second = {"a": [0], "b": [1], "c": [1], "d": [0], "only there": [0]}
    found = compare(first, second)
    assert (found.tasks, found.left_out, found.difference) == (4, 2, 0.25)
    assert (set(found.better), set(found.worse)) == ({"a", "d"}, {"c"})


def test_the_p_value_of_yes_no_tasks_is_that_of_mcnemars_exact_test() -> None:
    # 8 tasks won and 1 lost: 2 * (1 + 9) / 2**9.
    first = {task: [1] for task in range(8)} | {8: [0]} | {9: [1]}
    second = {task: [0] for task in range(8)} | {8: [1]} | {9: [1]}
    assert compare(first, second).p_value == pytest.approx(20 / 512)


def test_the_same_comparison_gives_the_same_p_value() -> None:
    random = np.random.default_rng(3)
    first, second = by_task(random.random((60, 2))), by_task(random.random((60, 2)))
    assert compare(first, second) == compare(first, second)


def test_no_flips_leave_room_for_doubt() -> None:
    found = compare({task: [1] for task in range(20)}, {task: [1] for task in range(20)})
    assert (found.difference, found.p_value) == (0, 1)
    assert found.low < 0 < found.high


def test_evaluations_of_other_tasks_are_not_compared() -> None:
    with pytest.raises(InputError, match="no task in common"):
        compare({"a": [1]}, {"b": [1]})
