"""Reading finished evaluations back: scores by task, for comparisons and tables."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.ftrl_test import SUITE
from ftrl.evaluation.results import EvalResults
from ftrl.evaluation.running import read_episodes
from ftrl.evaluation.statistics import Comparison, compare
from ftrl.evaluation.suite_results import SuiteResults, scores_by_task
from ftrl.evaluation.unplayed import missing, part, short
from ftrl.rollouts import TrajectoryStore

NAMED = 10
"""Tasks that flipped are named up to so many."""


@dataclass(frozen=True)
class StoredRun:
    """A finished evaluation.

    Attributes:
        path: its folder.
        results: what its ``results.json`` holds.
    """

    path: str
    results: EvalResults | SuiteResults

    @property
    def suite(self) -> str:
        """Name of the benchmark."""
        return self.results.suite if isinstance(self.results, EvalResults) else self.results.run.suite

    @property
    def variant(self) -> dict[str, str]:
        """What was chosen about the benchmark; of ours, the scoring profile."""
        if isinstance(self.results, EvalResults):
            return {"profile": self.results.profile}
        return self.results.run.variant

    @property
    def model(self) -> str:
        """Name of the model."""
        return (self.results if isinstance(self.results, EvalResults) else self.results.run).policy.name

    @property
    def thinking(self) -> bool:
        """Whether the model was asked to think first: a model of one's own, or with some effort a provider's."""
        settings = (self.results if isinstance(self.results, EvalResults) else self.results.run).settings
        return settings.thinking or settings.reasoning_effort not in (None, "none")

    @property
    def not_run(self) -> int:
        """Episodes that could not be played and are in no figure; run the evaluation again to play them."""
        return len(self.results.not_run)

    @property
    def missing(self) -> str | None:
        """The same for people; ``None`` where nothing is missing."""
        return missing(self.results.episodes, self.results.not_run)

    @property
    def tasks(self) -> str:
        """Where its tasks lie, and how many there are or, of some, were asked for."""
        where, available = self.results.tasks, self.results.available
        return where if available is None else f"{where} ({self.part or f'{available:,} tasks'})"

    @property
    def part(self) -> str | None:
        """How many of the benchmark's tasks were asked for; ``None`` where all were."""
        return part(self.results.limit, self.results.available)

    @property
    def metrics(self) -> list[str]:
        """Names of its metrics, the one that stands for the whole first."""
        return ["f1", "precision", "recall"] if isinstance(self.results, EvalResults) else list(self.results.metrics)

    def scores(self, metric: str) -> dict[str, list[float]]:
        """Task → its trials' scores."""
        if isinstance(self.results, SuiteResults):
            return scores_by_task((e for e in read_episodes(self.path) if e.trial < self.results.trials), metric)
        store = TrajectoryStore.open(storage.join(self.path, "trajectories"))
        scores: dict[str, list[float]] = defaultdict(list)
        for row in store.rows(["environment_id", "sample", "metrics"]):
            if row["sample"] < self.results.trials:
                scores[row["environment_id"]] += [
                    of[metric] for of in row["metrics"] if of["profile"] == self.results.profile
                ]
        return dict(scores)


def open_run(path: str) -> StoredRun:
    """The evaluation in a folder.

    Raises:
        InputError: there is none, or its ``results.json`` cannot be read.
    """
    file = storage.join(path, "results.json")
    if not storage.exists(file):
        raise InputError(
            "there is no finished evaluation here; run `ftrl eval SUITE --out` into this folder", file=file
        )
    try:
        values: dict[str, Any] = json.loads(storage.read_bytes(file))
        kind = EvalResults if values.get("suite") == SUITE else SuiteResults
        return StoredRun(path, kind.model_validate(values))
    except (ValidationError, ValueError, AttributeError) as error:
        raise InputError(f"not the results of an evaluation: {str(error).splitlines()[0]}", file=file) from error


def compare_runs(first: StoredRun, second: StoredRun, metric: str | None = None) -> tuple[str, Comparison]:
    """The metric that was compared, and how the first run differs from the second on the tasks of both.

    Raises:
        InputError: they are of different benchmarks or variants, or have no such metric, or no task in common.
    """
    if (first.suite, first.variant) != (second.suite, second.variant):
        raise InputError(
            f"{first.suite} {first.variant} and {second.suite} {second.variant} do not compare; "
            "give two evaluations of one benchmark by the same rules",
            file=second.path,
        )
    chosen = metric or first.metrics[0]
    if chosen not in first.metrics:
        raise InputError(f"{first.suite} has no metric '{chosen}'; there are {', '.join(first.metrics)}")
    return chosen, compare(first.scores(chosen), second.scores(chosen))


def render_comparison(first: StoredRun, second: StoredRun, metric: str, found: Comparison) -> str:
    """A comparison as text, in points of a hundred."""
    lines = [
        f"{first.suite}, {metric}, {found.tasks} tasks"
        + (f"; {found.left_out} that only one of them played are left out" if found.left_out else ""),
        f"A: {first.model} ({first.path})",
        f"B: {second.model} ({second.path})",
        f"A - B: {100 * found.difference:+.2f} points, 95 % in [{100 * found.low:+.2f}, {100 * found.high:+.2f}], "
        f"p = {found.p_value:.4g} (sign-flip test by task)",
    ]
    lines += [f"{name} is INCOMPLETE: {run.missing}" for name, run in (("A", first), ("B", second)) if run.missing]
    for name, tasks in (("A better", found.better), ("B better", found.worse)):
        named = ", ".join(short(str(task)) for task in tasks[:NAMED])
        named += f" and {more} more (--json has all)" if (more := len(tasks) - NAMED) > 0 else ""
        lines.append(f"{name} on {len(tasks)} tasks" + (f": {named}" if named else ""))
    return "\n".join(lines)
