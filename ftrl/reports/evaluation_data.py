"""Records of evaluations."""

from __future__ import annotations

from ftrl.environments.schema import Record


class Interval(Record):
    """A mean with its 95 % interval; ``low`` and ``high`` are null where nobody worked them out."""

    mean: float
    low: float | None
    high: float | None
    tasks: int


class EvaluationRow(Record):
    """A scenario or label: metric → figure."""

    name: str
    figures: dict[str, Interval]


class EvaluationView(Record):
    """One evaluation.

    Attributes:
        label: how the report calls it.
        path: its folder.
        suite: name of the benchmark.
        variant: what was chosen about it.
        policy: who was evaluated.
        trials: episodes of each task.
        metrics: names of the metrics, the first stands for the whole.
        rows: parts first, then the whole.
        whole: the row that stands for the whole.
        other_profiles: version of another scoring profile → metric → mean.
        endings: how episodes ended.
        failures: calls that did not end well, by status.
        not_run: episodes that are in no figure.
        played_on: the tasks' path.
    """

    label: str
    path: str
    suite: str
    variant: dict[str, str]
    policy: str
    trials: int
    metrics: tuple[str, ...]
    rows: tuple[EvaluationRow, ...]
    whole: str
    other_profiles: dict[str, dict[str, float]]
    endings: dict[str, int]
    failures: dict[str, int]
    not_run: int
    played_on: str


class Difference(Record):
    """How the last evaluation differs from the first on one part of the tasks, by one metric.

    Attributes:
        part: scenario, or ``all tasks``.
        difference: last minus first.
        low, high: its 95 % interval.
        p_value: of the sign-flip test.
        tasks: that both played.
        better, worse: tasks on which the last one scored higher, or lower.
    """

    part: str
    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    tasks: int
    better: int
    worse: int


class DifferenceBetween(Record):
    """All differences between two evaluations, named by their labels."""

    first: str
    last: str
    suite: str
    rows: tuple[Difference, ...]


class PaperTable(Record):
    """The paper's Table 2 and rows of this run's evaluations; cells are texts, empty where nothing is known.

    Attributes:
        columns: headings.
        rows: cells of each row, and whether it is this run's.
        note: where the paper's rows come from, and whether these rows compare.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[bool, tuple[str, ...]], ...]
    note: str


class Evaluations(Record):
    """Every evaluation of the run, the differences between them, and the paper's rows beside them."""

    runs: tuple[EvaluationView, ...]
    differences: tuple[DifferenceBetween, ...]
    paper: PaperTable | None
