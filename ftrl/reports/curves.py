"""Rewards and training curves, from the step metrics of each iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from ftrl.reports.data import Chart, Series, TrainingIteration
from ftrl.reports.run import Run, Training
from ftrl.reports.texts import finite
from ftrl.rollouts import TrajectoryStore

TRAINED_ON, SAMPLED = "trained on", "all that were sampled"

CHARTS: Sequence[tuple[str, str, Mapping[str, tuple[str, ...]]]] = (
    (
        "Reward",
        "Mean over the responses of a step: the reward that is trained on, and what each profile would give. Where "
        "groups are replaced, these are the others; the mean of all that were sampled stands beside.",
        {
            TRAINED_ON: ("ftrl/score", "critic/score/mean"),
            SAMPLED: ("ftrl/score_sampled",),
            "reference": ("ftrl/score_reference",),
            "strict": ("ftrl/score_strict",),
        },
    ),
    (
        "Calls",
        "Of one response, mean: calls that it made, golds that they ticked, calls that could not be read or failed.",
        {
            "calls": ("ftrl/calls",),
            "golds ticked": ("ftrl/ticked",),
            "not readable": ("ftrl/unparsable",),
            "failed": ("ftrl/call_errors",),
        },
    ),
    (
        "Groups that teach nothing",
        "Share of the groups in which every response earned the same: they give no direction.",
        {"share of groups": ("ftrl/groups_without_variance",)},
    ),
    (
        "Entropy",
        "Of the next token, mean, in nats: how undecided the policy is.",
        {"entropy": ("ftrl/entropy", "actor/entropy")},
    ),
    (
        "Gradient",
        "Norm of the gradient before it is clipped.",
        {"gradient norm": ("ftrl/gradient_norm", "actor/grad_norm")},
    ),
    ("Distance from the base", "KL divergence from the reference policy.", {"KL": ("ftrl/kl", "actor/kl_loss")}),
    (
        "Response length",
        "Tokens of a response.",
        {"mean": ("ftrl/response_tokens", "response_length/mean"), "longest": ("response_length/max",)},
    ),
    (
        "Drift between engine and trainer",
        "Mean difference of a token's probability in vLLM and in the trainer: near 0 if the weights really arrive.",
        {"probability difference": ("training/rollout_probs_diff_mean",)},
    ),
    (
        "Seconds of a step",
        "Where the time of a training step goes.",
        {
            "whole step": ("ftrl/step_seconds", "timing_s/step"),
            "rollout and reward": ("timing_s/gen",),
            "update": ("timing_s/update_actor",),
            "log-probabilities": ("timing_s/old_log_prob",),
            "weights to vLLM": ("timing_s/update_weights",),
        },
    ),
)
"""Title, how to read it, and label → names of its metric, our own first. What a run does not have is left out."""


def training_iterations(run: Run) -> tuple[TrainingIteration, ...]:
    """Every iteration of every training run that was begun."""
    return tuple(_iteration(one, number) for one in run.training for number in one.numbers)


def _iteration(run: Training, number: int) -> TrainingIteration:
    rows = run.folder.metrics(number).rows()
    named: set[str] = set()
    charts = []
    for title, about, lines in CHARTS:
        series = [one for label, names in lines.items() if (one := _series(rows, names, label)) is not None]
        named.update(one.metric for one in series)
        if title == "Reward":
            series = _named_by_profile(series, run.config.reward.profile)
        if series:
            charts.append(Chart(title=title, about=about, series=tuple(series)))
    others = sorted({metric for row in rows for metric in row} - named - {"step", "total"})
    return TrainingIteration(
        label=f"{run.label}, iteration {number}",
        steps=tuple(int(row["step"]) for row in rows),
        total=int(rows[-1]["total"]) if rows else None,
        done=number in run.merged,
        episodes=_episodes(run, number),
        charts=tuple(charts),
        others=tuple((name, finite(rows[0].get(name)), finite(rows[-1].get(name))) for name in others),
    )


def _series(rows: Sequence[Mapping[str, Any]], names: Sequence[str], label: str) -> Series | None:
    for name in names:
        values = tuple(finite(row.get(name)) for row in rows)
        if any(value is not None for value in values):
            return Series(metric=name, label=label, values=values)
    return None


def _named_by_profile(series: Sequence[Series], profile: str) -> list[Series]:
    """What is trained on is the reward of its profile, and mostly of all that were sampled: one line, not three."""
    trained = [one.model_copy(update={"label": f"{profile}, trained on"}) for one in series if one.label == TRAINED_ON]
    others = [one for one in series if one.label not in (TRAINED_ON, profile if trained else TRAINED_ON)]
    return trained + [one for one in others if one.label != SAMPLED or not any(_alike(one, known) for known in trained)]


def _alike(one: Series, other: Series) -> bool:
    pairs = zip(one.values, other.values, strict=True)
    return all(a == b or (a is not None and b is not None and isclose(a, b, abs_tol=1e-6)) for a, b in pairs)


def _episodes(run: Training, number: int) -> int:
    path = run.folder.trajectories
    return TrajectoryStore.open(path).count(number) if (run.folder.path / "trajectories/manifest.json").exists() else 0
