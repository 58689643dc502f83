"""What a suite's run comes to: every metric with its interval, whole and by label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, computed_field

from ftrl.evaluation.running import Episode, Played, RunIdentity, endings
from ftrl.evaluation.spending import told, total
from ftrl.evaluation.statistics import Estimate, estimate, pass_hat_k
from ftrl.evaluation.unplayed import listed, marked, part
from ftrl.rollouts import Usage


class Perplexity(BaseModel):
    """How surprising texts are to a model: e to the mean of minus the log-probability of a token.

    Attributes:
        value: 1 for a model that is never surprised; only comparable between models with the same tokenizer.
        tokens: of the texts, the first of each left out.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    tokens: int


class SuiteResults(BaseModel):
    """What ``results.json`` holds for a suite.

    Attributes:
        run: suite, policy and settings.
        tasks: where the tasks lie.
        trials: episodes of each task that were asked for.
        limit: how many tasks were asked for; all of them if null.
        available: how many there are.
        versions: of the software that can change a result.
        metrics: metric → figure over all tasks.
        by_label: label → its value → metric → figure.
        pass_hat_k: k → pass^k of the first metric, for metrics that are 1 or 0 and tasks played more than once.
        endings: how the episodes ended.
        usage: what the episodes took, by who spoke: ``model``, ``user``.
        seconds: for how long they were played, over all calls that came to their end; starting engines left out.
        perplexity: of the suite's texts; only of ``general``, and of models whose engine is ours.
        not_run: ``sample/trial`` → why, of episodes that are in no figure; the next run plays them.
        complete: whether there are none such.
    """

    model_config = ConfigDict(frozen=True)

    run: RunIdentity
    tasks: str
    trials: int
    limit: int | None = None
    available: int | None = None
    versions: dict[str, str]
    metrics: dict[str, Estimate]
    by_label: dict[str, dict[str, dict[str, Estimate]]]
    pass_hat_k: dict[int, Estimate] = {}
    endings: dict[str, int]
    usage: dict[str, Usage] = {}
    seconds: float | None = None
    perplexity: Perplexity | None = None
    not_run: dict[str, str]

    @property
    def episodes(self) -> int:
        """How many are in the figures."""
        return sum(self.endings.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def complete(self) -> bool:
        """Whether all that was asked for is in the figures."""
        return not self.not_run


def summarize_suite(
    run: RunIdentity,
    played: Played,
    metrics: Sequence[str],
    *,
    tasks: str,
    trials: int,
    versions: Mapping[str, str],
    limit: int | None = None,
    available: int | None = None,
) -> SuiteResults:
    """The figures of a run.

    Raises:
        ValueError: no episode was finished.
    """
    episodes = played.episodes
    labels = sorted({label for episode in episodes for label in episode.labels})
    return SuiteResults(
        run=run,
        tasks=tasks,
        trials=trials,
        limit=limit,
        available=available,
        versions=dict(versions),
        metrics=_figures(episodes, metrics),
        by_label={
            label: {value: _figures(of_value, metrics) for value, of_value in sorted(_split(episodes, label).items())}
            for label in labels
        },
        pass_hat_k=_pass_hat_k(scores_by_task(episodes, metrics[0])),
        endings=endings(episodes),
        usage=total(episode.usage for episode in episodes),
        seconds=played.seconds,
        not_run={f"{sample}/{trial}": why for (sample, trial), why in sorted(played.not_run.items())},
    )


def scores_by_task(episodes: Iterable[Episode], metric: str) -> dict[str, list[float]]:
    """Task → its trials' scores.

    Raises:
        KeyError: an episode was not scored by that metric.
    """
    scores: dict[str, list[float]] = {}
    for episode in episodes:
        scores.setdefault(episode.sample, []).append(episode.score.metrics[metric])
    return scores


def render_suite(results: SuiteResults) -> str:
    """The figures as text, in per cent, with half the width of their intervals."""
    run = results.run
    chosen = "".join(f", {name} {value}" for name, value in run.variant.items())
    names = list(results.metrics)
    rows = [("mean of tasks", results.metrics)]
    rows += [
        (f"{label}: {v}", f) for label, values in results.by_label.items() if len(values) > 1 for v, f in values.items()
    ]
    of = part(results.limit, results.available)
    lines = [f"{run.suite}{chosen}: {run.policy.name}" + (f", {of}" if of else "")]
    lines += marked(results.episodes, results.not_run)
    lines.append(f"{'':34}{'tasks':>6}" + "".join(f"{n:>22}" for n in names))
    lines += [
        f"{name:34}{next(iter(figures.values())).tasks:>6}" + "".join(f"{_shown(figures[n]):>22}" for n in names)
        for name, figures in rows
    ]
    lines += [f"{f'pass^{k}':34}{figure.tasks:>6}{_shown(figure):>22}" for k, figure in results.pass_hat_k.items()]
    lines.append("episodes: " + (", ".join(f"{name} {count}" for name, count in results.endings.items()) or "none"))
    if results.perplexity is not None:
        lines.append(f"perplexity {results.perplexity.value:.3f} over {results.perplexity.tokens:,} tokens of text")
    lines += told(results.usage, results.seconds)
    lines += listed(results.not_run)
    return "\n".join(lines)


def _shown(figure: Estimate) -> str:
    return f"{100 * figure.mean:.2f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _figures(episodes: Sequence[Episode], metrics: Sequence[str]) -> dict[str, Estimate]:
    return {metric: estimate(scores_by_task(episodes, metric)) for metric in metrics}


def _split(episodes: Iterable[Episode], label: str) -> dict[str, list[Episode]]:
    parts: dict[str, list[Episode]] = {}
    for episode in episodes:
        parts.setdefault(episode.labels.get(label, ""), []).append(episode)
    return parts


def _pass_hat_k(scores: Mapping[str, Sequence[float]]) -> dict[int, Estimate]:
    """For every k that all tasks have trials for."""
    fewest = min(map(len, scores.values()))
    if fewest < 2 or any(score not in (0, 1) for trials in scores.values() for score in trials):
        return {}
    return {k: pass_hat_k(scores, k) for k in range(1, fewest + 1)}
