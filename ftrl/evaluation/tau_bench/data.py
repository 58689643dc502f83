"""The published tasks and databases, as the FTRL release lays them out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.suite import Sample

TABLES = {"airline": ("flights", "reservations", "users"), "retail": ("orders", "products", "users")}
"""Domain → its tables, a JSON file each."""

_SOURCE = "tau-bench/"


@dataclass(frozen=True)
class Action:
    """One call of a published ground truth; ``arguments`` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, eq=False)
class Domain:
    """What the tasks of a domain share.

    Attributes:
        name: ``airline`` or ``retail``.
        policy: the rules that the agent is told first.
        tools: OpenAI function schemas.
        sources: tool → its Python source; each takes the database as ``data``.
        database: all tables as one JSON object; text, since it is only ever sent to the sandbox.
    """

    name: str
    policy: str
    tools: tuple[Mapping[str, Any], ...]
    sources: Mapping[str, str]
    database: str


@dataclass(frozen=True)
class TauTask:
    """One customer.

    Attributes:
        domain: where.
        instruction: what the simulated user is told.
        actions: calls that lead to the right database.
        outputs: what the agent has to have told.
    """

    domain: Domain
    instruction: str
    actions: tuple[Action, ...]
    outputs: tuple[str, ...]


def load_domain(folder: str, name: str) -> Domain:
    """A domain from its folder.

    Raises:
        InputError: a file is missing or not JSON.
    """

    def text(file: str) -> str:
        path = storage.join(folder, file)
        if not storage.exists(path):
            raise InputError(f"tau-bench's {name} domain needs this file, which is not there", file=path)
        return storage.read_bytes(path).decode()

    def parsed(file: str) -> Any:
        try:
            return json.loads(text(file))
        except ValueError as error:
            raise InputError(f"not JSON: {error}", file=storage.join(folder, file)) from error

    # Parsed and written again, so that a broken file is told here and not by a tool call's failure.
    database = {table: parsed(f"{table}.json") for table in TABLES[name]}
    return Domain(name, text("wiki.md"), tuple(parsed("tools.json")), parsed("codes.json"), json.dumps(database))


def load_tasks(path: str, wanted: Sequence[str]) -> list[Sample[TauTask]]:
    """The tasks of the wanted domains.

    Args:
        path: ``tau-bench.jsonl``, or the folder in which it and the folder ``tau-bench`` lie.
        wanted: names of domains.

    Raises:
        InputError: a file is missing, or a row not as published.
    """
    file = path if path.endswith(".jsonl") else storage.join(path, "tau-bench.jsonl")
    if not storage.exists(file):
        raise InputError("there are no tau-bench tasks here; `ftrl eval fetch tau-bench` gets them", file=file)
    folder = storage.join(file.rpartition("/")[0] or ".", "tau-bench")
    domains: dict[str, Domain] = {}
    numbers: Counter[str] = Counter()
    samples = []
    for line, row in storage.json_lines(file):
        name = str(row.get("data_source", "")).removeprefix(_SOURCE)
        if name not in TABLES:
            known = ", ".join(_SOURCE + domain for domain in TABLES)
            raise InputError(f"must be one of {known}", file=file, line=line, field="data_source")
        number, numbers[name] = numbers[name], numbers[name] + 1
        if name not in wanted:
            continue
        if name not in domains:
            domains[name] = load_domain(storage.join(folder, name), name)
        samples.append(Sample(f"{name}/{number}", _task(row, domains[name], file, line), {"domain": name}))
    return samples


def _task(row: Mapping[str, Any], domain: Domain, file: str, line: int) -> TauTask:
    try:
        functions = [action["function"] for action in row["actions"]]
        actions = tuple(Action(function["name"], function["arguments"]) for function in functions)
    except (KeyError, TypeError) as error:
        message = "a list of calls, each {'function': {'name', 'arguments'}}"
        raise InputError(message, file=file, line=line, field="actions") from error
    outputs = row.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(output, str) for output in outputs):
        raise InputError("must be a list of texts", file=file, line=line, field="outputs")
    if not isinstance(instruction := row.get("instruction"), str):
        raise InputError("must be a text", file=file, line=line, field="instruction")
    return TauTask(domain, instruction, actions, tuple(outputs))
