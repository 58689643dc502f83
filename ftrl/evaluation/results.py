"""Scores of a benchmark run: per scenario, over scenarios, over tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean

from pydantic import BaseModel, ConfigDict, computed_field

from ftrl.environments import Scenario
from ftrl.evaluation.spending import told
from ftrl.evaluation.statistics import Estimate, estimate
from ftrl.evaluation.unplayed import listed, marked, part
from ftrl.rollouts import EpisodeSettings, Metrics, PolicyIdentity, Usage

METRICS = ("precision", "recall", "f1")


class Scores(BaseModel):
    """Means in [0, 1] over ``tasks`` tasks; of each task, the mean over its trials."""

    model_config = ConfigDict(frozen=True)

    tasks: int
    precision: float
    recall: float
    f1: float


class EvalResults(BaseModel):
    """What ``results.json`` holds.

    Attributes:
        suite: name of the benchmark.
        tasks: where its tasks lie.
        policy: the model.
        settings: how its episodes were played.
        trials: episodes of each task.
        limit: how many tasks were asked for, the first of all; all of them if null.
        available: how many there are.
        profile: version of the scoring profile.
        versions: of the software that can change a result.
        scenarios: scores by scenario, in the order of the paper; scenarios without tasks are left out.
        macro: the mean of the scenarios' scores.
        overall: the mean over all tasks.
        intervals: scenario, ``macro`` or ``overall`` → precision, recall, F1 with 95 % intervals.
        other_profiles: version of each other scoring profile → its mean of the scenarios' scores.
        statuses: how the episodes ended.
        failures: calls that did not end well, by status.
        usage: what the episodes took, by who spoke: ``model``.
        seconds: for how long they were played, over all calls that came to their end; starting engines left out.
        not_run: ``environment id/trial`` → why, of episodes that are in no figure; the next run plays them.
        complete: whether there are none such.
    """

    model_config = ConfigDict(frozen=True)

    suite: str
    tasks: str
    policy: PolicyIdentity
    settings: EpisodeSettings
    trials: int
    limit: int | None = None
    available: int | None = None
    profile: str
    versions: dict[str, str]
    scenarios: dict[str, Scores]
    macro: Scores
    overall: Scores
    intervals: dict[str, dict[str, Estimate]] = {}
    other_profiles: dict[str, Scores] = {}
    statuses: dict[str, int]
    failures: dict[str, int]
    usage: dict[str, Usage] = {}
    seconds: float | None = None
    not_run: dict[str, str] = {}

    @property
    def episodes(self) -> int:
        """How many are in the figures."""
        return sum(self.statuses.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def complete(self) -> bool:
        """Whether all that was asked for is in the figures."""
        return not self.not_run


def summarize(
    scenarios: Mapping[str, Scenario], metrics: Iterable[tuple[str, Metrics]]
) -> tuple[dict[str, Scores], Scores, Scores]:
    """Scores by scenario, macro average, mean over tasks.

    Args:
        scenarios: environment id → scenario, of every task.
        metrics: (environment id, metrics) of every episode.
    """
    trials: dict[str, list[Metrics]] = defaultdict(list)
    for environment_id, of_episode in metrics:
        trials[environment_id].append(of_episode)
    tasks = {id_: _mean(episodes, tasks=1) for id_, episodes in trials.items()}
    by_scenario: dict[str, Scores] = {}
    for scenario in Scenario:
        scores = [tasks[id_] for id_, of_task in scenarios.items() if of_task is scenario and id_ in tasks]
        if scores:
            by_scenario[scenario.value] = _mean(scores, tasks=len(scores))
    return by_scenario, _mean(by_scenario.values(), tasks=len(tasks)), _mean(tasks.values(), tasks=len(tasks))


def intervals(
    scenarios: Mapping[str, Scenario], metrics: Iterable[tuple[str, Metrics]]
) -> dict[str, dict[str, Estimate]]:
    """How sure the scores of ``summarize`` are: its arguments, its keys and ``macro`` and ``overall``."""
    listed = list(metrics)
    found: dict[str, dict[str, Estimate]] = {}
    for name in METRICS:
        scores: dict[str, list[float]] = defaultdict(list)
        for environment_id, of_episode in listed:
            scores[environment_id].append(getattr(of_episode, name))
        strata = {id_: scenarios[id_].value for id_ in scores}
        parts = {s.value: {id_: scores[id_] for id_ in scores if strata[id_] == s.value} for s in Scenario}
        for name_of_part, of_part in parts.items():
            if of_part:
                found.setdefault(name_of_part, {})[name] = estimate(of_part)
        found.setdefault("macro", {})[name] = estimate(scores, strata)
        found.setdefault("overall", {})[name] = estimate(scores)
    return found


def _mean(scores: Iterable[Metrics | Scores], *, tasks: int) -> Scores:
    listed = list(scores)
    return Scores(
        tasks=tasks,
        precision=fmean(one.precision for one in listed),
        recall=fmean(one.recall for one in listed),
        f1=fmean(one.f1 for one in listed),
    )


def render_table(results: EvalResults) -> str:
    """The scores as text: one line a scenario, then the averages; in per cent."""
    of = part(results.limit, results.available)
    lines = [
        f"{results.suite}: {results.policy.name}" + (f", {of}" if of else ""),
        *marked(results.episodes, results.not_run),
        f"{'':26}{'tasks':>6}{'P':>8}{'R':>8}{'F1':>8}" + "  95 % of F1" * bool(results.intervals),
    ]
    rows = [
        *results.scenarios.items(),
        ("mean of scenarios", results.macro),
        ("mean of tasks", results.overall),
        *((f"by {version}", scores) for version, scores in results.other_profiles.items()),
    ]
    known = {"mean of scenarios": "macro", "mean of tasks": "overall"}
    for name, scores in rows:
        f1 = results.intervals.get(known.get(name, name), {}).get("f1")
        lines.append(
            f"{name:26}{scores.tasks:>6}"
            f"{100 * scores.precision:>8.2f}{100 * scores.recall:>8.2f}{100 * scores.f1:>8.2f}"
            + (f"  [{100 * f1.low:.1f}, {100 * f1.high:.1f}]" if f1 else "")
        )
    lines.append("episodes: " + _counts(results.statuses))
    lines.append("calls that failed: " + _counts(results.failures))
    lines += told(results.usage, results.seconds)
    lines += listed(results.not_run)
    return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(counts).items())) or "none"
