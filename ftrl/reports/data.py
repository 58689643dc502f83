"""What a report says, as records: the page shows these and nothing else.

Every section may be missing; ``ReportData.missing`` then says why, and how to get it.
"""

from __future__ import annotations

from pydantic import Field

from ftrl.audit.report import AuditReport
from ftrl.environments.schema import Record
from ftrl.reports.episode_data import Episodes
from ftrl.reports.evaluation_data import Evaluations
from ftrl.reports.task_data import TaskBrowser


class Fact(Record):
    """A figure that a reader looks for first.

    Attributes:
        label: what it is of.
        value: as it is read.
        note: what to know beside it; may be empty.
    """

    label: str
    value: str
    note: str = ""


class StageState(Record):
    """A stage of the method: ``done``, ``begun`` or ``absent``, and a sentence that says more."""

    name: str
    state: str
    detail: str


class Overview(Record):
    """The run at a glance.

    Attributes:
        name: last part of the run's path.
        path: of the run.
        headline: what came of it, in a sentence.
        facts: the figures.
        stages: how far it is.
    """

    name: str
    path: str
    headline: str
    facts: tuple[Fact, ...]
    stages: tuple[StageState, ...]


class FunnelStage(Record):
    """A stage of construction: candidates that entered it, those that left it, and rule → how many broke it."""

    name: str
    entered: int
    left: int
    rejected: dict[str, int]


class Cost(Record):
    """What was asked of models for one stage; ``usd`` is null where a price is not known."""

    stage: str
    calls: int
    input: int
    output: int
    usd: float | None


class ScenarioFigures(Record):
    """Means over the tasks of a scenario; ``all`` for all of them."""

    scenario: str
    tasks: int
    tools: float | None
    distractors: float | None
    golds: float | None
    parameters: float | None
    code_lines: float | None
    question_characters: float | None


class Difficulty(Record):
    """How the tasks of a scenario were solved by one policy.

    Attributes:
        scenario: of the tasks.
        tasks: how many were played.
        never, sometimes, always: tasks whose golds were solved in no episode, in part, or all of them in each.
        recall: mean share of the golds that was solved.
    """

    scenario: str
    tasks: int
    never: int
    sometimes: int
    always: int
    recall: float


class DifficultyOf(Record):
    """The difficulty of tasks for one policy, under one profile; ``label`` says whose."""

    label: str
    profile: str
    rows: tuple[Difficulty, ...]


class AuditOf(Record):
    """An audit of ``tasks`` tasks of ``of``, spread evenly over the set."""

    of: int
    report: AuditReport


class ConstructedSet(Record):
    """One set of tasks: how it was made, and what it is like.

    Attributes:
        path: where it lies.
        generator: who made it, in words.
        distinct_sources: different tool sources.
        scenarios: figures by scenario, those of all last.
        funnel: the way of the candidates; empty for tasks that were not made here.
        given_up: items of which every attempt was rejected.
        examples: some rejections in words.
        verification: calls that proved the tasks, by purpose.
        costs: by stage and under ``all``; empty where no model was asked.
        difficulty: for each policy that played them.
        audit: what the tasks would pay for nothing; null where it was not asked for.
    """

    path: str
    generator: str
    distinct_sources: int
    scenarios: tuple[ScenarioFigures, ...]
    funnel: tuple[FunnelStage, ...]
    given_up: int
    examples: tuple[str, ...]
    verification: dict[str, int]
    costs: tuple[Cost, ...]
    difficulty: tuple[DifficultyOf, ...]
    audit: AuditOf | None


class Series(Record):
    """Values of one metric, one a training step; null where there is none."""

    metric: str
    label: str
    values: tuple[float | None, ...]


class Chart(Record):
    """Series over the training steps that belong together: ``title`` names them, ``about`` says how to read them."""

    title: str
    about: str
    series: tuple[Series, ...]


class TrainingIteration(Record):
    """One round of training.

    Attributes:
        label: of the run and the round.
        steps: numbers of the training steps.
        total: steps that there are to be; null before the first.
        done: whether the policy was merged.
        episodes: trajectories that were collected for it.
        charts: in reading order.
        others: every other metric: name, first and last value.
    """

    label: str
    steps: tuple[int, ...]
    total: int | None
    done: bool
    episodes: int
    charts: tuple[Chart, ...]
    others: tuple[tuple[str, float | None, float | None], ...]


class HeatCell(Record):
    """A part of the model: see ``ftrl.analysis.Figures``. ``layer`` is null for what lies in no layer."""

    layer: int | None
    module: str
    elements: int
    relative: float | None
    share: float
    changed: float
    largest: float


class HeatMap(Record):
    """How far each part of the model moved from ``base`` to ``tuned``."""

    base: str
    tuned: str
    architecture: str
    elements: int
    relative: float | None
    changed: float
    notes: tuple[str, ...]
    modules: tuple[str, ...]
    layers: tuple[int, ...]
    cells: tuple[HeatCell, ...]
    outside: tuple[HeatCell, ...]
    families: tuple[HeatCell, ...]


class SettingsTable(Record):
    """Settings by dotted name, and what they are of."""

    title: str
    rows: tuple[tuple[str, str], ...]


class Surroundings(Record):
    """Versions of the software that made the results, and every setting."""

    versions: tuple[tuple[str, str], ...]
    settings: tuple[SettingsTable, ...]


class ReportData(Record):
    """The whole report.

    Attributes:
        format: version of these records.
        ftrl: version of the program that made the report.
        made: when, as it was given; null where reports must be the same byte by byte.
        overview: always there.
        missing: section → why it is not there.
    """

    format: int = 1
    ftrl: str
    made: str | None
    overview: Overview
    construction: tuple[ConstructedSet, ...] = ()
    tasks: TaskBrowser | None = None
    trajectories: Episodes | None = None
    training: tuple[TrainingIteration, ...] = ()
    evaluation: Evaluations | None = None
    changes: HeatMap | None = None
    surroundings: Surroundings | None = None
    missing: dict[str, str] = Field(default_factory=dict)
