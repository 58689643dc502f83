"""Scoring files of responses and of trajectories: the formats of ``ftrl reward``.

Lines are scored in order, as a stream: a call that hangs holds up no other line. Every line is scored under
all profiles: the chosen one's figures stand in the line, the others' in an object with the profile's name. A line
that could not be scored through a fault of ours gets ``null`` for its scores and is counted; it is never given a
number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ftrl import storage
from ftrl.environments import Tasks
from ftrl.errors import InputError
from ftrl.rewards.context import Context, Earlier, ScoredTask
from ftrl.rewards.profiles import Profile, check_metric, profiles_from
from ftrl.rewards.scoreboard import Unscorable
from ftrl.rewards.scoring import ResponseScoring, Score, score_trajectories
from ftrl.rewards.streaming import score_stream
from ftrl.sandbox import Sandbox


class EarlierCall(BaseModel):
    """A call of an earlier turn, as the conversation shows it."""

    model_config = ConfigDict(strict=True)

    name: str
    arguments: str
    output: str


class ResponseLine(BaseModel):
    """One line of RESPONSES.jsonl; other keys are kept as they are.

    ``history`` tells the strict profile which calls came before; without it, only which golds are solved is known.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    task: int = Field(ge=0)
    response: str
    unsolved: dict[str, list[str]] | None = None
    solve_rate: float | None = None
    history: list[EarlierCall] = []


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
        self._seen: dict[int, ScoredTask] = {}

    def get(self, row: int, file: str, line: int) -> ScoredTask:
        if row not in self._seen:
            if row >= len(self._tasks):
                raise InputError(
                    f"there is no task {row}: the tasks have rows 0 to {len(self._tasks) - 1}",
                    file=file,
                    line=line,
                    field="task",
                )
            environment = self._tasks[row]
            self._seen[row] = ScoredTask.of(environment, self._tasks.sources(environment))
        return self._seen[row]


def score_responses_file(
    tasks: Tasks, responses: str, out: str, *, metric: str, profile: Profile, sandbox: Sandbox
) -> FileReport:
    """Score every line of a RESPONSES file.

    ``out`` gets the lines plus ``score``, ``calls``, ``ticked``, ``why`` and ``profile``, and the same under the
    name of each other profile.

    Raises:
        InputError: a line is not as it should be; nothing is written.
    """
    check_metric(metric)
    rows, tally = _TaskRows(tasks), _Tally()
    profiles = profiles_from(profile)
    with storage.writing(out) as file:
        scorings = (
            (raw, _scoring(line, rows.get(line.task, responses, at), metric, profiles))
            for at, raw, line in _lines(responses, ResponseLine)
        )
        for raw, scores in score_stream(scorings, sandbox):
            results = [_response_result(score) for score in _one_each(scores, len(profiles))]
            tally.add(results[0]["score"])
            file.write(_json_line({**raw, **_side_by_side(results, profiles)}))
    return tally.report()


def _scoring(line: ResponseLine, task: ScoredTask, metric: str, profiles: tuple[Profile, ...]) -> ResponseScoring:
    history = tuple(Earlier(call.name, call.arguments, call.output) for call in line.history)
    return ResponseScoring(
        line.response,
        task.environment.unsolved() if line.unsolved is None else line.unsolved,
        task.sources,
        answer=task.environment.answer,
        solve_rate=line.solve_rate or 0.0,
        metric=metric,
        profiles=profiles,
        context=Context(task.facts, history),
    )


def _one_each(scores: list[Score] | str, profiles: int) -> list[Score] | list[str]:
    return [scores] * profiles if isinstance(scores, str) else scores


def _response_result(score: Score | str) -> dict[str, Any]:
    if isinstance(score, str):
        return {"score": None, "calls": None, "ticked": None, "why": score}
    ticked = [tick.model_dump(exclude_defaults=True) for tick in score.ticked]
    return {
        "score": score.value,
        "calls": score.calls,
        "unparsable": score.unparsable,
        "ticked": ticked,
        "why": score.why,
        "profile": score.profile,
    }


def _side_by_side(results: Sequence[dict[str, Any]], profiles: Sequence[Profile]) -> dict[str, Any]:
    """The first profile's result, and each other's under the profile's name."""
    others = {profile.name: result for profile, result in zip(profiles[1:], results[1:], strict=True)}
    return {**results[0], **others}


def score_trajectories_file(
    tasks: Tasks, trajectories: str, out: str, *, profile: Profile, sandbox: Sandbox
) -> FileReport:
    """Score every line of a TRAJECTORIES file.

    ``out`` gets the lines plus ``precision``, ``recall``, ``f1``, ``outputs`` and ``profile``, and the figures of
    each other profile under its name.

    Raises:
        InputError: a line is not as it should be; nothing is written.
    """
    rows, tally = _TaskRows(tasks), _Tally()
    profiles = profiles_from(profile)
    with storage.writing(out) as file:
        for number, raw, line in _lines(trajectories, TrajectoryLine):
            task = rows.get(line.task, trajectories, number)
            try:
                scores = score_trajectories(
                    line.turns,
                    task.environment.unsolved(),
                    task.sources,
                    sandbox,
                    max_turns=line.max_turns,
                    profiles=profiles,
                    context=Context(task.facts),
                )
                results = [score.model_dump(mode="json") for score in scores]
            except Unscorable:
                results = [dict.fromkeys(("precision", "recall", "f1", "outputs")) for _ in profiles]
            for result in results[1:]:
                del result["outputs"]
            tally.add(results[0]["f1"])
            file.write(_json_line({**raw, **_side_by_side(results, profiles)}))
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
