"""Evaluations with their intervals, the differences between the first and the last, and the paper's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftrl.environments import Scenario
from ftrl.errors import InputError
from ftrl.evaluation import EvalResults
from ftrl.evaluation.paper_table import COLUMNS, PAPER, Row, own_rows, paper_rows
from ftrl.evaluation.results import METRICS
from ftrl.evaluation.statistics import Estimate, compare
from ftrl.reports.evaluation_data import (
    Difference,
    DifferenceBetween,
    EvaluationRow,
    Evaluations,
    EvaluationView,
    Interval,
    PaperTable,
)
from ftrl.reports.run import Evaluated, Run
from ftrl.reports.texts import short_path

WHOLE = "all tasks"
MACRO = "mean of scenarios"
"""The average that the paper reports for its own benchmark."""


def evaluations_of(run: Run) -> Evaluations | None:
    """The section; none where no evaluation is finished."""
    if not run.evaluations:
        return None
    return Evaluations(
        runs=tuple(map(_view, run.evaluations)),
        differences=tuple(_differences(run)),
        paper=_paper(run.evaluations),
    )


def _view(one: Evaluated) -> EvaluationView:
    stored, results = one.stored, one.stored.results
    rows, whole = _rows_of_ours(results) if isinstance(results, EvalResults) else (_rows_of_suite(one), WHOLE)
    return EvaluationView(
        label=one.label,
        path=stored.path,
        suite=stored.suite,
        variant=dict(stored.variant),
        policy=short_path(stored.model),
        trials=results.trials,
        metrics=tuple(stored.metrics),
        rows=tuple(rows),
        whole=whole,
        other_profiles={
            version: {metric: getattr(scores, metric) for metric in METRICS}
            for version, scores in (results.other_profiles if isinstance(results, EvalResults) else {}).items()
        },
        endings=results.statuses if isinstance(results, EvalResults) else results.endings,
        failures=results.failures if isinstance(results, EvalResults) else {},
        not_run=stored.not_run,
        played_on=short_path(results.tasks),
    )


def _rows_of_ours(results: EvalResults) -> tuple[list[EvaluationRow], str]:
    parts = [*results.scenarios.items(), ("macro", results.macro), ("overall", results.overall)]
    names = {"macro": MACRO, "overall": WHOLE}
    rows = []
    for part, scores in parts:
        known = results.intervals.get(part, {})
        figures = {
            metric: _interval(known[metric])
            if metric in known
            else Interval(mean=getattr(scores, metric), low=None, high=None, tasks=scores.tasks)
            for metric in METRICS
        }
        rows.append(EvaluationRow(name=names.get(part, part), figures=figures))
    return rows, MACRO


def _rows_of_suite(one: Evaluated) -> list[EvaluationRow]:
    results = one.stored.results
    if isinstance(results, EvalResults):
        return []
    rows = [
        EvaluationRow(name=f"{label}: {value}", figures={name: _interval(of) for name, of in figures.items()})
        for label, values in results.by_label.items()
        if len(values) > 1
        for value, figures in values.items()
    ]
    rows.append(EvaluationRow(name=WHOLE, figures={name: _interval(of) for name, of in results.metrics.items()}))
    first = one.stored.metrics[0]
    rows += [EvaluationRow(name=f"pass^{k}", figures={first: _interval(of)}) for k, of in results.pass_hat_k.items()]
    return rows


def _interval(figure: Estimate) -> Interval:
    return Interval(mean=figure.mean, low=figure.low, high=figure.high, tasks=figure.tasks)


def _differences(run: Run) -> Iterator[DifferenceBetween]:
    """Of each benchmark that was played twice or more: the last evaluation less the first."""
    kinds: dict[str, list[Evaluated]] = {}
    for one in run.evaluations:
        kinds.setdefault(f"{one.stored.suite} {sorted(one.stored.variant.items())}", []).append(one)
    for same in kinds.values():
        first, last = same[0], same[-1]
        if first is not last:
            rows = tuple(_compared(run, first, last))
            if rows:
                yield DifferenceBetween(first=first.label, last=last.label, suite=first.stored.suite, rows=rows)


def _compared(run: Run, first: Evaluated, last: Evaluated) -> Iterator[Difference]:
    for metric in first.stored.metrics:
        before, after = first.stored.scores(metric), last.stored.scores(metric)
        parts = _parts(run, before) if isinstance(first.stored.results, EvalResults) else {}
        for part, tasks in {**parts, WHOLE: list(before)}.items():
            shared = [task for task in tasks if task in after]
            if shared:
                yield _difference(part, metric, after, before, shared)


def _parts(run: Run, scores: Mapping[str, object]) -> dict[str, list[str]]:
    """Scenario → its tasks, in the paper's order; nothing for tasks that are not at hand."""
    parts: dict[str, list[str]] = {}
    for task in scores:
        if (found := run.tasks.get(task)) is not None:
            parts.setdefault(found[0].scenario.value, []).append(task)
    return {scenario.value: parts[scenario.value] for scenario in Scenario if scenario.value in parts}


def _difference(
    part: str,
    metric: str,
    after: Mapping[str, Sequence[float]],
    before: Mapping[str, Sequence[float]],
    tasks: Sequence[str],
) -> Difference:
    found = compare({task: after[task] for task in tasks}, {task: before[task] for task in tasks})
    return Difference(
        part=part,
        metric=metric,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        tasks=found.tasks,
        better=len(found.better),
        worse=len(found.worse),
    )


def _paper(evaluated: Sequence[Evaluated]) -> PaperTable | None:
    own = _own(evaluated)
    if not own:
        return None
    rows = [(False, _cells(row)) for row in paper_rows()] + [(True, _cells(row)) for row in own]
    return PaperTable(
        columns=("model", "thinking", "method", *COLUMNS.values(), "average"),
        rows=tuple(rows),
        note=f"{PAPER}. Its Solve columns are of the published FTRL test set: a row of this run compares with them "
        "only if it was played on that set. ± is half a 95 % interval.",
    )


def _own(evaluated: Sequence[Evaluated]) -> list[Row]:
    """One row for as many evaluations as fit into one; what the table has no column for is left out."""
    batches: list[list[Evaluated]] = []
    for one in evaluated:
        for batch in batches:
            if batch[0].stored.model == one.stored.model and _rows([*batch, one]):
                batch.append(one)
                break
        else:
            if _rows([one]):
                batches.append([one])
    return [row for batch in batches for row in _rows(batch)]


def _rows(batch: Sequence[Evaluated]) -> list[Row]:
    """Their rows; none if they do not fit into the table together, or not at all."""
    try:
        return own_rows(one.stored for one in batch)
    except InputError:
        return []


def _cells(row: Row) -> tuple[str, ...]:
    def shown(column: str) -> str:
        cell = row.cells.get(column)
        if cell is None:
            return ""
        return f"{cell.value:.2f}" + (f" ± {cell.half:.1f}" if cell.half is not None else "")

    average = "" if row.average is None else f"{row.average:.2f}"
    return short_path(row.model), "yes" if row.thinking else "no", row.method, *map(shown, COLUMNS), average
