"""The published task format, row by row: to an ``Environment`` and back.

A row has eight fields. ``messages`` is a list; ``tools``, ``codes`` and ``unsolved_set`` are JSON *text*::

    messages      [{"content": the question, "role": "user"}]
    tools         list of OpenAI function schemas
    codes         {tool: Python source}
    unsolved_set  {tool: [golds]}
    solve_rate    0.0: nothing is solved yet
    data_source   "self/<scenario>"
    split, answer

The same format is used for steps of recorded conversations, where ``messages`` has grown and golds have been
ticked. Those are trajectories, not tasks, and are refused here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftrl.environments.checks import Problem, check_environment
from ftrl.environments.columns import to_text
from ftrl.environments.schema import Environment, Gold, Json, Scenario, source_id

FIELDS = ("messages", "tools", "codes", "unsolved_set", "solve_rate", "data_source", "split", "answer")

JSON_FIELDS = ("tools", "codes", "unsolved_set")
"""Fields that hold JSON text."""

PUBLISHED_NAMES = {"question": "messages", "implementations": "codes", "golds": "unsolved_set"}
"""Fields of an ``Environment`` that have another name in the published format."""

_TYPES: dict[str, tuple[Any, str]] = {
    "messages": (list, "a list"),
    "tools": (str, "JSON text"),
    "codes": (str, "JSON text"),
    "unsolved_set": (str, "JSON text"),
    "solve_rate": (int | float, "a number"),
    "data_source": (str, "text"),
    "split": (str, "text"),
    "answer": (str | None, "text or null"),
}


@dataclass(frozen=True)
class Task:
    """An environment together with the sources of its tools."""

    environment: Environment
    sources: dict[str, str]


class BadRow(Exception):
    """A row that is no sound task, with all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


def read_task(row: bytes | Json) -> Task:
    """The task in one row: a line of JSONL as it lies in the file, or a row of Parquet as a dictionary.

    Raises:
        BadRow: with every problem of the row.
    """
    fields = _read_fields(read_json_line(row) if isinstance(row, bytes) else row)
    golds = [Gold(tool=tool, value=value) for tool, values in fields["unsolved_set"].items() for value in values]
    sources: dict[str, str] = fields["codes"]
    environment = Environment(
        scenario=fields["data_source"],
        question=fields["messages"],
        answer=fields["answer"],
        tools=fields["tools"],
        implementations={tool: source_id(source) for tool, source in sources.items()},
        golds=tuple(golds),
        split=fields["split"],
        data_source=f"self/{fields['data_source'].value}",
    )
    problems = [
        Problem(PUBLISHED_NAMES.get(problem.field or "", problem.field), problem.message)
        for problem in check_environment(environment, sources)
    ]
    if problems:
        raise BadRow(problems)
    return Task(environment, sources)


def write_task(task: Task) -> dict[str, Any]:
    """The task as a row. What the format has no place for (trace, provenance, ids) stays behind."""
    environment = task.environment
    return {
        "messages": [{"content": environment.question, "role": "user"}],
        "tools": to_text(list(environment.tools)),
        "codes": to_text(task.sources),
        "unsolved_set": to_text(environment.unsolved()),
        "solve_rate": 0.0,
        "data_source": f"self/{environment.scenario.value}",
        "split": environment.split,
        "answer": environment.answer,
    }


def read_json_line(line: bytes) -> Json:
    """The JSON value in a line.

    Raises:
        BadRow: it is not JSON: not UTF-8, cut off, with NaN, or with the same key twice in an object.
    """
    try:
        return _loads(line.decode())
    except _NotJson as error:
        raise BadRow([Problem(None, f"the line is not JSON: {error}")]) from error
    except UnicodeDecodeError as error:
        raise BadRow([Problem(None, f"the line is not UTF-8 text (byte {error.start + 1})")]) from error


class _NotJson(Exception):
    """Text that is not JSON; the message says where."""


def _loads(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _NotJson(f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise _NotJson("it is nested too deeply") from error
    except ValueError as error:
        raise _NotJson(str(error)) from error


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotJson(f"the key '{twice}' stands twice in one object")
    return result


def _refuse_constant(name: str) -> Json:
    raise _NotJson(f"{name} is not a number that JSON knows")


def _read_fields(row: Json) -> dict[str, Any]:
    """The fields of a row in the right shape: ``messages`` is the question, ``data_source`` the scenario."""
    if not isinstance(row, dict):
        raise BadRow([Problem(None, "the line holds no JSON object")])
    fields: dict[str, Any] = {}
    problems = [*_check_names(row), *_take_values(row, fields), *_check_shapes(fields)]
    if (snapshot := _snapshot_sign(fields)) is not None:
        problems.insert(0, snapshot)
    if not problems:
        problems += _check_message(fields["messages"])
    if problems:
        raise BadRow(problems)
    fields["messages"] = fields["messages"][0]["content"]
    fields["data_source"] = Scenario(fields["data_source"].removeprefix("self/"))
    return fields


def _check_names(row: dict[str, Json]) -> Iterator[Problem]:
    for name in FIELDS:
        if name not in row:
            yield Problem(name, "the field is missing")
    for name in row:
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            yield Problem(name, f"the published format has no such field (it has {known}); remove it")


def _take_values(row: dict[str, Json], fields: dict[str, Any]) -> Iterator[Problem]:
    """Put the values that can be read into ``fields``, JSON text as what it says."""
    for name in FIELDS:
        if name not in row:
            continue
        value = row[name]
        kind, described = _TYPES[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            yield Problem(name, f"must be {described}, not {_kind(value)}")
            continue
        if name in JSON_FIELDS:
            try:
                value = _loads(value)
            except _NotJson as error:
                yield Problem(name, f"the text is not JSON: {error}")
                continue
        if (fault := _text_fault(value)) is not None:
            yield Problem(name, fault)
        fields[name] = value


def _check_shapes(fields: Mapping[str, Any]) -> Iterator[Problem]:
    tools, codes, unsolved = (fields.get(name) for name in ("tools", "codes", "unsolved_set"))
    if "tools" in fields and (not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools)):
        yield Problem("tools", "must hold a list of function schemas")
    if "codes" in fields and not isinstance(codes, dict):
        yield Problem("codes", f"must hold an object, tool to Python source, not {_kind(codes)}")
    elif isinstance(codes, dict):
        for tool, source in codes.items():
            if not isinstance(source, str):
                yield Problem("codes", f"the code of '{tool}' must be text, not {_kind(source)}")
    if "unsolved_set" in fields and not isinstance(unsolved, dict):
        yield Problem("unsolved_set", f"must hold an object, tool to list of golds, not {_kind(unsolved)}")
    elif isinstance(unsolved, dict):
        for tool, golds in unsolved.items():
            if not isinstance(golds, list):
                yield Problem("unsolved_set", f"the golds of '{tool}' must be a list, not {_kind(golds)}")
            elif wrong := [gold for gold in golds if not isinstance(gold, str)]:
                yield Problem("unsolved_set", f"a gold of '{tool}' must be text, not {_kind(wrong[0])}")
    source = fields.get("data_source")
    if source is not None and source not in {f"self/{scenario.value}" for scenario in Scenario}:
        known = ", ".join(f"self/{scenario.value}" for scenario in Scenario)
        yield Problem("data_source", f"{source!r} names no scenario; known are {known}")


def _snapshot_sign(fields: Mapping[str, Any]) -> Problem | None:
    """What shows that the row is a step of a conversation, if it is one."""
    messages, rate = fields.get("messages", []), fields.get("solve_rate", 0)
    unsolved = fields.get("unsolved_set")
    done = [tool for tool, golds in unsolved.items() if golds == []] if isinstance(unsolved, dict) else []
    if len(messages) > 1:
        field, sign = "messages", f"there are {len(messages)} messages where a task has one"
    elif rate != 0:
        field, sign = "solve_rate", f"it is {rate}, so golds are solved already"
    elif done:
        field, sign = "unsolved_set", f"no gold is left for '{done[0]}'"
    else:
        return None
    what = f"this is a step of a recorded conversation, not a fresh task: {sign}"
    return Problem(field, f"{what}; give the file of tasks that the conversations started from")


def _check_message(messages: list[Json]) -> Iterator[Problem]:
    message = messages[0] if messages else None
    if message is None:
        yield Problem("messages", "there is no message")
    elif not isinstance(message, dict) or set(message) != {"role", "content"}:
        yield Problem("messages", 'the message must have "role" and "content", and nothing else')
    elif message["role"] != "user":
        yield Problem("messages", f"the message must come from the user, not from {message['role']!r}")
    elif not isinstance(message["content"], str):
        yield Problem("messages", f"the content must be text, not {_kind(message['content'])}")


def _text_fault(value: Json) -> str | None:
    """What is wrong with the first text in ``value`` that has a character no tool or tokenizer can take."""
    if isinstance(value, str):
        if "\0" in value:
            return f"there is a NUL character (at character {value.index(chr(0)) + 1} of its text)"
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"there is a lone surrogate, U+{ord(value[error.start]):04X}: the text was decoded wrongly"
        return None
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return next(filter(None, map(_text_fault, value)), None) if isinstance(value, list) else None


def _kind(value: Json) -> str:
    """The JSON type of a value, with an article."""
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
