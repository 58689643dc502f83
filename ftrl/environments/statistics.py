"""Figures about a set of tasks, per scenario and for all; one pass, with flat memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ftrl.environments.checks import tool_name, tool_parameters, tool_required
from ftrl.environments.schema import Environment, Scenario
from ftrl.environments.tasks import Tasks

ALL = "all"


@dataclass
class Spread:
    """Count, sum and extremes of a figure."""

    count: int = 0
    total: int = 0
    least: int = 0
    most: int = 0

    def add(self, values: Iterable[int]) -> None:
        """Take in more values."""
        for value in values:
            self.least = min(self.least, value) if self.count else value
            self.most = max(self.most, value) if self.count else value
            self.count += 1
            self.total += value

    @property
    def mean(self) -> float | None:
        """The arithmetic mean; null without values."""
        return self.total / self.count if self.count else None


@dataclass
class Figures:
    """What one scenario's tasks are like.

    Attributes:
        tasks: how many there are.
        splits: tasks in each split.
        tools: tools of a task.
        distractors: tools of a task that no gold belongs to.
        golds: golds of a task.
        parameters: parameters of a tool.
        required: required parameters of a tool.
        code_lines: lines of a tool's source that are not blank.
        question_characters: characters of a task's question.
        traced: tasks that carry their sub-questions and golden calls.
    """

    tasks: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    tools: Spread = field(default_factory=Spread)
    distractors: Spread = field(default_factory=Spread)
    golds: Spread = field(default_factory=Spread)
    parameters: Spread = field(default_factory=Spread)
    required: Spread = field(default_factory=Spread)
    code_lines: Spread = field(default_factory=Spread)
    question_characters: Spread = field(default_factory=Spread)
    traced: int = 0

    def add(self, environment: Environment, sources: dict[str, str]) -> None:
        """Take in one more task."""
        with_golds = {gold.tool for gold in environment.golds}
        self.tasks += 1
        self.splits[environment.split] = self.splits.get(environment.split, 0) + 1
        self.tools.add([len(environment.tools)])
        self.distractors.add([sum(tool_name(tool) not in with_golds for tool in environment.tools)])
        self.golds.add([len(environment.golds)])
        self.parameters.add(len(tool_parameters(tool)) for tool in environment.tools)
        self.required.add(len(tool_required(tool)) for tool in environment.tools)
        self.code_lines.add(sum(bool(line.strip()) for line in source.splitlines()) for source in sources.values())
        self.question_characters.add([len(environment.question)])
        self.traced += bool(environment.trace)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON: each spread as ``mean``, ``min`` and ``max``."""
        values = asdict(self)
        for name, value in vars(self).items():
            if isinstance(value, Spread):
                values[name] = {"mean": value.mean, "min": value.least, "max": value.most}
        return values


@dataclass
class Statistics:
    """Figures of a set of tasks.

    Attributes:
        scenarios: figures of each scenario that occurs, in the order of ``Scenario``; of all under ``all``.
        distinct_sources: how many different tool sources there are.
    """

    scenarios: dict[str, Figures]
    distinct_sources: int

    def as_json(self) -> dict[str, Any]:
        """The statistics as JSON."""
        return {
            "scenarios": {name: figures.as_json() for name, figures in self.scenarios.items()},
            "distinct_sources": self.distinct_sources,
        }


def describe(tasks: Tasks) -> Statistics:
    """The statistics of ``tasks``."""
    figures = {name: Figures() for name in (*(scenario.value for scenario in Scenario), ALL)}
    distinct: set[bytes] = set()
    for environment in tasks:
        sources = tasks.sources(environment)
        distinct.update(bytes.fromhex(sha256) for sha256 in environment.implementations.values())
        for name in (environment.scenario.value, ALL):
            figures[name].add(environment, sources)
    return Statistics(
        scenarios={name: figure for name, figure in figures.items() if figure.tasks or name == ALL},
        distinct_sources=len(distinct),
    )
