"""How sure a figure is: standard errors by task, 95 % intervals, paired comparisons.

Trials of one task are alike, so the task is the unit that is drawn: a task's trials are averaged first, and errors are
those of the task means (clustered standard errors; with scenarios, one stratum each). Scores lie in [0, 1], which a
symmetric interval forgets: the interval of a mean is Wilson's, at the number of yes/no tasks that would be as sure
(Korn and Graubard 1998), so it stays inside [0, 1] and does not shrink to a point where all tasks failed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ftrl.errors import InputError

CONFIDENCE = 0.95
MOST_EXACT = 14
"""Differing tasks up to which every way to flip their signs is counted; beyond, ``DRAWS`` of them are drawn."""

DRAWS = 10_000
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)

Task = TypeVar("Task", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A mean score and how sure it is.

    Attributes:
        mean: over tasks, of each the mean over its trials; with strata, the mean of their means. In [0, 1].
        standard_error: of ``mean``; ``None`` for a single task.
        low, high: the 95 % interval.
        tasks: how many tasks.
        trials: how many episodes.
    """

    mean: float
    standard_error: float | None
    low: float
    high: float
    tasks: int
    trials: int


def estimate(scores: Mapping[Task, Sequence[float]], strata: Mapping[Task, str] | None = None) -> Estimate:
    """The mean score with its standard error and interval.

    Args:
        scores: task → the score in [0, 1] of each of its trials.
        strata: task → scenario, for the mean of the scenarios' means; ``None`` for the mean over tasks.

    Raises:
        ValueError: no tasks, a task without trials, or a score outside [0, 1].
    """
    means = _means(scores)
    groups: dict[str, list[float]] = {}
    for task, mean in means.items():
        groups.setdefault(strata[task] if strata else "", []).append(mean)
    values = [np.array(group) for group in groups.values()]
    mean = float(np.mean([group.mean() for group in values]))
    trials = sum(len(of_task) for of_task in scores.values())
    freedom = len(means) - len(groups)
    if freedom < 1 or any(len(group) < 2 for group in values):
        # One task says nothing of how tasks differ: any mean could be.
        return Estimate(mean, None, 0.0, 1.0, len(means), trials)
    error = math.sqrt(sum(group.var(ddof=1) / len(group) for group in values)) / len(values)
    low, high = _wilson(mean, error, len(means), freedom)
    return Estimate(mean, error, low, high, len(means), trials)


def pass_hat_k(scores: Mapping[Task, Sequence[float]], k: int) -> Estimate:
    """pass^k: the chance that k trials of a task all succeed (Yao et al. 2024), with its interval.

    Args:
        scores: task → 1 for each trial that succeeded and 0 for each that did not; at least ``k`` each.
        k: how many trials have to succeed.

    Raises:
        ValueError: a task has fewer than ``k`` trials, or a score is neither 0 nor 1.
    """
    chances: dict[Task, list[float]] = {}
    for task, trials in scores.items():
        if len(trials) < k or k < 1:
            raise ValueError(f"pass^{k} needs at least {max(k, 1)} trials of each task, and {task!r} has {len(trials)}")
        if any(score not in (0, 1) for score in trials):
            raise ValueError(f"pass^{k} counts successes, but {task!r} has a score that is neither 0 nor 1")
        chances[task] = [math.comb(round(sum(trials)), k) / math.comb(len(trials), k)]
    found = estimate(chances)
    return Estimate(
        found.mean, found.standard_error, found.low, found.high, found.tasks, sum(map(len, scores.values()))
    )


@dataclass(frozen=True)
class Comparison:
    """Two models on the same tasks; differences are the first's score minus the second's.

    Attributes:
        difference: mean over the tasks.
        standard_error: of ``difference``, by task; ``None`` for a single task.
        low, high: its 95 % interval.
        p_value: of the sign-flip test: how often chance alone makes a mean difference at least as large.
        tasks: how many tasks both played.
        left_out: how many only one of them played; they are in no figure here.
        better, worse: the tasks on which the first scored higher, or lower, the largest differences first.
    """

    difference: float
    standard_error: float | None
    low: float
    high: float
    p_value: float
    tasks: int
    left_out: int
    better: tuple[Hashable, ...]
    worse: tuple[Hashable, ...]


def compare(
    first: Mapping[Task, Sequence[float]], second: Mapping[Task, Sequence[float]], *, seed: int = 0
) -> Comparison:
    """Compare two models task by task; tasks that only one of them played are left out.

    Args:
        first, second: task → the score in [0, 1] of each of its trials.
        seed: of the drawn sign flips, where there are too many to count.

    Raises:
        InputError: they have no task in common.
    """
    shared = [task for task in first if task in second]
    if not shared:
        raise InputError("the two evaluations have no task in common; compare runs of one suite over the same tasks")
    of_first, of_second = _means({t: first[t] for t in shared}), _means({t: second[t] for t in shared})
    differences = np.array([of_first[task] - of_second[task] for task in shared])
    mean, error, low, high = _interval_of_difference(differences)
    order = sorted(range(len(shared)), key=lambda i: -abs(differences[i]))
    return Comparison(
        difference=mean,
        standard_error=error,
        low=low,
        high=high,
        p_value=_sign_flip(differences, seed),
        tasks=len(shared),
        left_out=len(first.keys() ^ second.keys()),
        better=tuple(shared[i] for i in order if differences[i] > 0),
        worse=tuple(shared[i] for i in order if differences[i] < 0),
    )


def _means(scores: Mapping[Task, Sequence[float]]) -> dict[Task, float]:
    if not scores:
        raise ValueError("there are no tasks to average over")
    for task, trials in scores.items():
        if not trials:
            raise ValueError(f"task {task!r} has no trials")
        if not all(0 <= score <= 1 for score in trials):
            raise ValueError(f"a score of task {task!r} lies outside [0, 1]")
    return {task: math.fsum(trials) / len(trials) for task, trials in scores.items()}


def _wilson(mean: float, error: float, tasks: int, freedom: int) -> tuple[float, float]:
    """Wilson's interval at the effective number of tasks."""
    spread = mean * (1 - mean)
    effective = spread / error**2 if error > 0 and spread > 0 else float(tasks)
    t = _t_quantile(freedom)
    share = t * t / effective
    centre = (mean + share / 2) / (1 + share)
    half = math.sqrt(share * spread + share * share / 4) / (1 + share)
    return max(0.0, centre - half), min(1.0, centre + half)


def _interval_of_difference(differences: NDArray[np.float64]) -> tuple[float, float | None, float, float]:
    count = len(differences)
    mean = float(differences.mean())
    if count < 2:
        return mean, None, -1.0, 1.0
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    if error > 0:
        half = _t_quantile(count - 1) * error
        return mean, error, max(-1.0, mean - half), min(1.0, mean + half)
    # All tasks alike: one more task won and one more lost (Bonett and Price 2012), or no flips would mean no doubt.
    widened = np.append(differences, [1.0, -1.0])
    half = _t_quantile(count - 1) * float(widened.std(ddof=1)) / math.sqrt(len(widened))
    centre = float(widened.mean())
    return mean, error, max(-1.0, centre - half), min(1.0, centre + half)


def _sign_flip(differences: NDArray[np.float64], seed: int) -> float:
    """Two-sided p-value of the mean under flips of each task's sign; exact where that can be counted."""
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    observed = abs(moved.sum()) - 1e-12
    if len(moved) <= MOST_EXACT:
        signs = 1 - 2 * ((np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1)
        return float(np.mean(np.abs(signs @ moved) >= observed))
    signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, size=(DRAWS, len(moved)), dtype=np.int8)
    return float((np.count_nonzero(np.abs(signs @ moved) >= observed) + 1) / (DRAWS + 1))


def _t_quantile(freedom: int) -> float:
    """Student's t at 97.5 %: Cornish and Fisher's expansion, exact forms where few degrees of freedom break it."""
    if freedom == 1:
        return math.tan(math.pi * (_cdf(_Z) - 0.5))
    if freedom == 2:
        p = _cdf(_Z)
        return (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    z, v = _Z, freedom
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4),
    )
    return math.fsum(terms)


def _cdf(z: float) -> float:
    return NormalDist().cdf(z)
