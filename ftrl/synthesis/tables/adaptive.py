"""Adaptive difficulty: more of what a policy solves sometimes.

In: solve rates, one task a line, as JSON. A line has ``solve_rate`` and either the task's features (``scenario``,
``hops``, ``branches``, ``distractors``) or its ``environment_id``, with the store that it is in. Out: for each item a
scenario and strengths, drawn from the features of the tasks with a weight of p (1 - p): nothing is learned from what
always or never succeeds. One item in ten keeps the strengths of the run, so that what is hard now is met again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ftrl import storage
from ftrl.environments import Environment, open_tasks
from ftrl.environments.schema import Scenario
from ftrl.environments.trace import waves
from ftrl.errors import InputError
from ftrl.synthesis.tables.style import Style

EXPLORED = 0.1
"""Share of items that do not go by the solve rates."""


@dataclass(frozen=True)
class Features:
    """What makes a task easy or hard, as far as it can be turned."""

    scenario: Scenario
    hops: int
    branches: int
    distractors: int

    def turned(self, style: Style) -> Style:
        """The style with these strengths."""
        made = replace(style, distractors=(self.distractors, self.distractors))
        if self.scenario in (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP):
            made = replace(made, hops=(max(self.hops, 2), max(self.hops, 2)))
        if self.scenario in (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP):
            made = replace(made, branches=(max(self.branches, 2), max(self.branches, 2)))
        return made


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    solve_rate: float = Field(ge=0, le=1)
    environment_id: str | None = None
    scenario: Scenario | None = None
    hops: int = Field(default=1, ge=1, le=8)
    branches: int = Field(default=1, ge=1, le=8)
    distractors: int = Field(default=0, ge=0, le=20)


def features_of(environment: Environment) -> Features:
    """The features of a task that has a trace."""
    rounds = waves(environment.trace)
    used = {step.tool for step in environment.trace}
    others = sum(tool["function"]["name"] not in used for tool in environment.tools)
    return Features(environment.scenario, min(len(rounds), 8), min(len(rounds[0]), 8), min(others, 20))


@lru_cache(maxsize=4)
def weights(path: str, tasks: str | None) -> Mapping[Features, float]:
    """How much of each kind of task there should be.

    Args:
        path: solve rates, local or on S3.
        tasks: the store or file that the ids of environments are of; not needed where lines have features.

    Raises:
        InputError: a line can't be read, an environment is not there, or nothing is solved sometimes.
    """
    known = {task.id: task for task in open_tasks(tasks)} if tasks is not None else {}
    sums: dict[Features, float] = {}
    for number, line in _lines(path):
        if line.scenario is not None:
            features = Features(line.scenario, line.hops, line.branches, line.distractors)
        elif line.environment_id in known and known[line.environment_id].trace:
            features = features_of(known[line.environment_id])
        else:
            raise InputError(
                "this line has neither a scenario nor the id of an environment with a trace in --like-tasks",
                file=path,
                line=number,
                field="environment_id",
            )
        sums[features] = sums.get(features, 0.0) + line.solve_rate * (1 - line.solve_rate)
    useful = {features: weight for features, weight in sums.items() if weight > 0}
    if not useful:
        raise InputError("no task is solved sometimes: all rates are 0 or 1, so there is nothing to go by", file=path)
    return useful


def drawn(wanted: Mapping[Features, float], rng: Random) -> Features | None:
    """The features of one item; null for an item that keeps the strengths of the run."""
    if rng.random() < EXPLORED:
        return None
    return rng.choices(list(wanted), list(wanted.values()))[0]


def _lines(path: str) -> Iterator[tuple[int, _Line]]:
    try:
        text = storage.read_bytes(path).decode()
    except FileNotFoundError as error:
        raise InputError("there is no such file", file=path) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield number, _Line.model_validate(json.loads(line))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(str(first["msg"]), file=path, line=number, field=str(first["loc"][0])) from error
        except ValueError as error:
            raise InputError(f"this line is not JSON: {error}", file=path, line=number) from error
