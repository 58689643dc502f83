"""Scoring files of responses and of trajectories: the formats of ``ftrl reward``.

Lines are scored in order, in batches: all calls of a batch run in the sandbox together. A line that could not be
scored through a fault of ours gets ``null`` for its scores and is counted; it is never given a number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ftrl import storage
from ftrl.environments import Environment, Tasks
from ftrl.errors import InputError
from ftrl.rewards.profiles import Profile, metric_named
from ftrl.rewards.scoreboard import Unscorable
from ftrl.rewards.scoring import parse_response, sandbox_calls, score_parsed, score_trajectory
from ftrl.sandbox import Sandbox
from ftrl.tool_calls import ParsedResponse

BATCH = 256
"""Lines whose calls are run together."""


class ResponseLine(BaseModel):
    """One line of RESPONSES.jsonl; other keys are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    task: int = Field(ge=0)
    response: str
    unsolved: dict[str, list[str]] | None = None
    solve_rate: float | None = None


class TrajectoryLine(BaseModel):
    """One line of TRAJECTORIES.jsonl; other keys are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    task: int = Field(ge=0)
    turns: list[str]
    max_turns: int = Field(default=20, ge=1)


class FileReport(BaseModel):
    """What became of a file: lines scored, lines not scorable through a fault of ours, mean of what was scored."""

    lines: int
    unscored: int
    mean: float | None


class _Tally:
    def __init__(self) -> None:
        self.lines, self.unscored, self.total = 0, 0, 0.0

    def add(self, value: float | None) -> None:
        self.lines += 1
        if value is None:
            self.unscored += 1
        else:
            self.total += value

    def report(self) -> FileReport:
        scored = self.lines - self.unscored
        return FileReport(lines=self.lines, unscored=self.unscored, mean=self.total / scored if scored else None)


class _TaskRows:
    """Tasks by row, each read once."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._seen: dict[int, tuple[Environment, Mapping[str, str]]] = {}

    def get(self, row: int, file: str, line: int) -> tuple[Environment, Mapping[str, str]]:
        if row not in self._seen:
            if row >= len(self._tasks):
                raise InputError(
                    f"there is no task {row}: the tasks have rows 0 to {len(self._tasks) - 1}",
                    file=file,
                    line=line,
                    field="task",
                )
            environment = self._tasks[row]
            self._seen[row] = (environment, self._tasks.sources(environment))
        return self._seen[row]


def score_responses_file(
    tasks: Tasks, responses: str, out: str, *, metric: str, profile: Profile, sandbox: Sandbox
) -> FileReport:
    """Score every line of a RESPONSES file; ``out`` gets the lines plus ``score``, ``calls``, ``ticked``, ``why``.

    Raises:
        InputError: a line is not as it should be; nothing is written.
    """
    metric_named(metric)
    rows, tally = _TaskRows(tasks), _Tally()
    with storage.writing(out) as file:
        for batch in _batches(_lines(responses, ResponseLine)):
            for raw, result in _score_batch(batch, rows, responses, metric, profile, sandbox):
                tally.add(result["score"])
                file.write(_json_line({**raw, **result}))
    return tally.report()


def _score_batch(
    batch: list[tuple[int, dict[str, Any], ResponseLine]],
    rows: _TaskRows,
    path: str,
    metric: str,
    profile: Profile,
    sandbox: Sandbox,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    parsed: list[ParsedResponse] = []
    calls = []
    for number, _, line in batch:
        _, sources = rows.get(line.task, path, number)
        response = parse_response(line.response, profile)
        parsed.append(response)
        calls.append(sandbox_calls(response.calls, sources))
    results = iter(sandbox.run([call for of_line in calls for call in of_line]))
    for (number, raw, line), response, of_line in zip(batch, parsed, calls, strict=True):
        environment, _ = rows.get(line.task, path, number)
        try:
            score = score_parsed(
                response,
                [next(results) for _ in of_line],
                environment.unsolved() if line.unsolved is None else line.unsolved,
                answer=environment.answer,
                solve_rate=line.solve_rate or 0.0,
                metric=metric,
                profile=profile,
            )
        except Unscorable as error:
            yield raw, {"score": None, "calls": None, "ticked": None, "why": str(error)}
        else:
            ticked = [tick.model_dump() for tick in score.ticked]
            yield raw, {"score": score.value, "calls": score.calls, "ticked": ticked, "why": score.why}


def score_trajectories_file(
    tasks: Tasks, trajectories: str, out: str, *, profile: Profile, sandbox: Sandbox
) -> FileReport:
    """Score every line of a TRAJECTORIES file; ``out`` gets them plus ``precision``, ``recall``, ``f1``, ``outputs``.

    Raises:
        InputError: a line is not as it should be; nothing is written.
    """
    rows, tally = _TaskRows(tasks), _Tally()
    with storage.writing(out) as file:
        for number, raw, line in _lines(trajectories, TrajectoryLine):
            environment, sources = rows.get(line.task, trajectories, number)
            result: dict[str, Any]
            try:
                score = score_trajectory(
                    line.turns,
                    environment.unsolved(),
                    sources,
                    sandbox,
                    max_turns=line.max_turns,
                    profile=profile,
                )
                result = score.model_dump(mode="json")
            except Unscorable:
                result = dict.fromkeys(("precision", "recall", "f1", "outputs"))
            tally.add(result["f1"])
            file.write(_json_line({**raw, **result}))
    return tally.report()


def _json_line(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _lines(path: str, model: type[Any]) -> Iterator[tuple[int, dict[str, Any], Any]]:
    """The lines of a JSONL file: 1-based number, the line as it stands, and read by ``model``."""
    for number, raw in storage.json_lines(path):
        try:
            yield number, raw, model.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(first["msg"].lower(), file=path, line=number, field=field) from error


def _batches(lines: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
