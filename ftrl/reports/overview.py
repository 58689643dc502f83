"""The run at a glance: what came of it in one sentence, a few figures, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from pydantic import BaseModel, ConfigDict, ValidationError

from ftrl import storage
from ftrl.reports.curves import SAMPLED
from ftrl.reports.data import ConstructedSet, Fact, Overview, StageState, TrainingIteration
from ftrl.reports.evaluation_data import Difference, DifferenceBetween, Evaluations
from ftrl.reports.evaluations import WHOLE
from ftrl.reports.run import Run
from ftrl.reports.texts import counted, duration

FEW = 5
"""Training steps over which a reward is averaged, at the beginning and at the end: single steps are noisy."""


class _Summary(BaseModel):
    """What the overview takes from a quickstart's ``summary.json``."""

    model_config = ConfigDict(extra="ignore")

    seconds: dict[str, float] = {}


def overview_of(
    run: Run,
    construction: tuple[ConstructedSet, ...],
    training: tuple[TrainingIteration, ...],
    evaluation: Evaluations | None,
) -> Overview:
    """The overview, from what the other sections found."""
    return Overview(
        name=run.name,
        path=run.path,
        headline=_headline(run, training, evaluation),
        facts=tuple(_facts(run, construction, training, evaluation)),
        stages=tuple(_stages(run, training)),
    )


def _headline(run: Run, training: tuple[TrainingIteration, ...], evaluation: Evaluations | None) -> str:
    if evaluation is not None and evaluation.differences:
        return _what_changed(evaluation, evaluation.differences[0])
    if evaluation is not None:
        one_run = evaluation.runs[0]
        whole = next(row for row in one_run.rows if row.name == WHOLE).figures[one_run.metrics[0]]
        what = f"{_name(one_run.metrics[0])} {whole.mean:.3f} on {counted(whole.tasks, 'task')} of {one_run.suite}"
        return f"{one_run.policy}: {what}{_variant(evaluation)}."
    if training and training[-1].steps:
        return f"Training is at step {training[-1].steps[-1]} of {training[-1].total}; nothing is evaluated yet."
    episodes = sum(one.count for one in run.episodes)
    if episodes:
        return f"{counted(episodes, 'episode')} were played; nothing is evaluated yet."
    if not len(run.tasks):
        return "Tasks are being made; none is accepted yet."
    return f"{counted(len(run.tasks), 'task')}; nobody has played them yet."


def _what_changed(evaluation: Evaluations, between: DifferenceBetween) -> str:
    one = _whole(between)
    first, last = (_score(evaluation, label, one.metric) for label in (between.first, between.last))
    what = f"{_name(one.metric)} on {counted(one.tasks, 'task')} of {between.suite}{_variant(evaluation)}"
    if one.difference == 0:
        return f"{what} is {last:.3f} for {between.first} and for {between.last}."
    verb = "rose" if one.difference > 0 else "fell"
    sure = "more than chance explains" if one.low > 0 or one.high < 0 else "which chance may explain"
    return (
        f"{what} {verb} from {first:.3f} ({between.first}) to {last:.3f} ({between.last}): {one.difference:+.3f}, 95 % "
        f"between {one.low:+.3f} and {one.high:+.3f}, {sure}."
    )


def _variant(evaluation: Evaluations) -> str:
    """What was chosen about the benchmark: of ours, the scoring profile."""
    variant = ", ".join(evaluation.runs[0].variant.values())
    return f" ({variant})" if variant else ""


def _whole(between: DifferenceBetween) -> Difference:
    return next(row for row in between.rows if row.part == WHOLE)


def _score(evaluation: Evaluations, label: str, metric: str) -> float:
    run = next(run for run in evaluation.runs if run.label == label)
    return next(row for row in run.rows if row.name == WHOLE).figures[metric].mean


def _chance(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _name(metric: str) -> str:
    return "F1" if metric == "f1" else metric


def _facts(
    run: Run,
    construction: tuple[ConstructedSet, ...],
    training: tuple[TrainingIteration, ...],
    evaluation: Evaluations | None,
) -> Iterator[Fact]:
    if evaluation is not None:
        for between in evaluation.differences:
            one = _whole(between)
            first, last = (_score(evaluation, label, one.metric) for label in (between.first, between.last))
            note = f"{one.better} tasks better, {one.worse} worse, {_chance(one.p_value)}"
            yield Fact(label=f"{_name(one.metric)}, {between.suite}", value=f"{first:.2f} → {last:.2f}", note=note)
    if len(run.tasks):
        note = "; ".join(f"{made.scenarios[-1].tasks:,} in {made.path}" for made in construction if made.scenarios)
        yield Fact(label="tasks", value=f"{len(run.tasks):,}", note=note)
    if run.episodes:
        note = "; ".join(f"{one.count:,} {one.label}" for one in run.episodes)
        yield Fact(label="episodes", value=f"{sum(one.count for one in run.episodes):,}", note=note)
    for iteration in training:
        if iteration.steps:
            value = f"{len(iteration.steps)} of {iteration.total}"
            label = "training steps" if len(training) == 1 else f"steps, {iteration.label}"
            yield Fact(label=label, value=value, note=_rewards(iteration))
    usd = sum(cost.usd or 0.0 for made in construction for cost in made.costs if cost.stage == "all")
    if usd:
        yield Fact(label="cost of construction", value=f"${usd:.2f}", note="what providers took for their models")
    if seconds := _seconds(run):
        longest = max(seconds, key=lambda name: seconds[name])
        note = f"the longest: {longest}, {duration(seconds[longest])}"
        yield Fact(label="time", value=duration(sum(seconds.values())), note=note)


def _rewards(iteration: TrainingIteration) -> str:
    for chart in iteration.charts:
        if chart.title == "Reward":
            told = next((one for one in chart.series if one.label == SAMPLED), chart.series[0])
            values = [value for value in told.values if value is not None]
            few = min(FEW, len(values))
            first, last = fmean(values[:few]), fmean(values[-few:])
            return f"mean reward {first:.2f} in the first {counted(few, 'step')}, {last:.2f} in the last"
    return ""


def _seconds(run: Run) -> dict[str, float]:
    """Seconds of each stage, as a quickstart notes them."""
    file = storage.join(run.path, "summary.json")
    if not storage.exists(file):
        return {}
    try:
        return _Summary.model_validate_json(storage.read_bytes(file)).seconds
    except ValidationError:
        return {}  # another program's summary


def _stages(run: Run, training: tuple[TrainingIteration, ...]) -> Iterator[StageState]:
    made = len(run.tasks)
    yield StageState(
        name="tasks",
        state="done" if made else "absent",
        detail=f"{counted(made, 'task')} at hand" if made else "no tasks lie here, and none are named",
    )
    played = sum(one.count for one in run.episodes)
    yield StageState(
        name="episodes",
        state="done" if played else "absent",
        detail=f"{counted(played, 'episode')} in {counted(len(run.episodes), 'set')}"
        if played
        else "nobody has played yet",
    )
    yield _training_state(run, training)
    finished, begun = len(run.evaluations), len(run.unfinished)
    detail = f"{counted(finished, 'evaluation')} finished" if finished else "none is finished"
    if begun:
        detail += f", {', '.join(run.unfinished)} begun"
    yield StageState(name="evaluation", state="done" if finished else "begun" if begun else "absent", detail=detail)


def _training_state(run: Run, training: tuple[TrainingIteration, ...]) -> StageState:
    wanted = sum(one.config.iterations for one in run.training)
    done = sum(one.done for one in training)
    if not wanted:
        return StageState(name="training", state="absent", detail="nothing was trained here")
    steps = training[-1].steps if training else ()
    at = f"; the last is at step {steps[-1]} of {training[-1].total}" if steps and done < wanted else ""
    detail = f"{done} of {counted(wanted, 'iteration')} done{at}"
    return StageState(name="training", state="done" if done == wanted else "begun", detail=detail)
