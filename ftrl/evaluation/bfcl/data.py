"""The published tasks, and their tools as models are shown them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.suite import Sample

NON_LIVE = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
)
"""Single-turn categories: one question, the right calls for it (or none)."""

MULTI_TURN = ("multi_turn_base", "multi_turn_miss_param", "multi_turn_long_context")
"""Conversations with classes that keep a state. ``multi_turn_miss_func`` is left out: its tools change on the way,
which a provider's conversation here cannot."""

CATEGORIES = (*NON_LIVE, *MULTI_TURN)
GROUPS = {"non_live": NON_LIVE, "multi_turn": MULTI_TURN}

_FILE = "BFCL_v4_{}.json"
_DOCUMENTS = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
"""Class → file with its tools."""

_JSON_TYPES = {
    **dict.fromkeys(("integer", "byte", "short", "long"), "integer"),
    **dict.fromkeys(("number", "float", "double"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list", "tuple", "ArrayList", "Array", "Queue", "Stack"), "array"),
    **dict.fromkeys(("dict", "object", "HashMap", "Hashtable"), "object"),
}
"""Published type → JSON Schema's; all others are strings."""

_HINTS = {"simple_java": ("Java", "Java 8 SDK"), "simple_javascript": ("JavaScript", "JavaScript")}
"""Category → how descriptions call the language of a parameter, and of the function. The others' is Python."""


@dataclass(frozen=True)
class BfclTask:
    """One task.

    Attributes:
        category: one of ``CATEGORIES``.
        turns: what the user says, turn by turn, in chat format.
        functions: descriptions of the tools, as the checkers want them.
        tools: the same as OpenAI function schemas.
        answer: as published: the right calls, or those of each turn; none for ``irrelevance``.
        folder: of the package that it is from; the checkers lie there, too.
        entry: of multi-turn tasks, what their classes start with: ``id``, ``initial_config``, ``involved_classes``.
    """

    category: str
    turns: tuple[tuple[dict[str, Any], ...], ...]
    functions: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]
    answer: list[Any]
    folder: str
    entry: dict[str, Any]

    @property
    def is_multi_turn(self) -> bool:
        """Whether calls are answered."""
        return self.category in MULTI_TURN


def package_folder(path: str) -> str:
    """The folder ``bfcl_eval`` at a path: that folder, or the one that it lies in.

    Raises:
        InputError: there is none.
    """
    for folder in (path, storage.join(path, "bfcl_eval")):
        if storage.exists(storage.join(folder, "data", _FILE.format("simple_python"))):
            return folder
    raise InputError(
        "the package bfcl_eval, with its folder data, is not here: `ftrl eval fetch bfcl` gets what is needed of it; "
        "or `pip download --no-deps bfcl-eval`, unpack the wheel (`python -m zipfile -e FILE.whl FOLDER`) and name the "
        "folder",
        file=path,
    )


def load_tasks(path: str, categories: Sequence[str]) -> list[Sample[BfclTask]]:
    """The tasks of the categories.

    Args:
        path: see ``package_folder``.
        categories: names of categories, or of ``GROUPS``.

    Raises:
        InputError: a file is missing, or a row not as published.
    """
    package = package_folder(path)
    folder = storage.join(package, "data")
    samples = []
    for category in chosen(categories):
        file = storage.join(folder, _FILE.format(category))
        answers = (
            {}
            if category == "irrelevance"
            else _answers(storage.join(folder, "possible_answer", _FILE.format(category)))
        )
        for line, row in storage.json_lines(file):
            if row.get("id") not in answers and category != "irrelevance":
                raise InputError("there is no answer for this task", file=file, line=line, field="id")
            try:
                task = _task(row, category, answers.get(row["id"], []), package)
            except (KeyError, TypeError, AttributeError) as error:
                message = f"not a task as published ({type(error).__name__}: {error})"
                raise InputError(message, file=file, line=line, field="function") from error
            group = "multi_turn" if category in MULTI_TURN else "non_live"
            samples.append(Sample(row["id"], task, {"category": category, "group": group}))
    return samples


def chosen(categories: Sequence[str]) -> list[str]:
    """Categories, with groups taken apart.

    Raises:
        InputError: there is no such category.
    """
    found: list[str] = []
    for name in categories:
        if name not in CATEGORIES and name not in GROUPS:
            raise InputError(
                f"there is no category '{name}'; choose {', '.join((*GROUPS, *CATEGORIES))}", field="category"
            )
        found += [category for category in GROUPS.get(name, (name,)) if category not in found]
    return found


def _answers(file: str) -> dict[str, list[Any]]:
    return {row["id"]: row["ground_truth"] for _, row in storage.json_lines(file)}


def _task(row: dict[str, Any], category: str, answer: list[Any], package: str) -> BfclTask:
    entry: dict[str, Any] = {n: row[n] for n in ("id", "initial_config", "involved_classes") if n in row}
    functions = row["function"] if category not in MULTI_TURN else _documents(package, entry["involved_classes"])
    return BfclTask(
        category=category,
        turns=tuple(tuple(turn) for turn in row["question"]),
        functions=tuple(functions),
        tools=tuple({"type": "function", "function": _tool(_described(one, category))} for one in functions),
        answer=answer,
        folder=package,
        entry=entry,
    )


def _documents(package: str, classes: Sequence[str]) -> list[dict[str, Any]]:
    files = [storage.join(package, "data", "multi_turn_func_doc", f"{_DOCUMENTS[name]}.json") for name in classes]
    return [row for file in files for _, row in storage.json_lines(file)]


def _described(function: Mapping[str, Any], category: str) -> dict[str, Any]:
    """With the leaderboard's hints at the language: values of other languages are given as text."""
    language, dialect = _HINTS.get(category, (None, "Python 3"))
    found: dict[str, Any] = json.loads(json.dumps(function))
    found["description"] += f" Note that the provided function is in {dialect} syntax."
    for value in found["parameters"]["properties"].values() if language else ():
        kind = value["type"]
        if kind == "any":
            hint = f" This parameter can be of any type of {language} object in string representation."
        else:
            hint = f" This is {language} {kind} type parameter in string representation."
        if kind in ("ArrayList", "Array", "array"):
            hint += (
                f" The list elements are of type {value.pop('items')['type']}; they are not in string representation."
            )
        if language == "JavaScript" and kind == "dict" and "properties" in value:
            inside = json.dumps(value.pop("properties"))
            hint += (
                f" The dictionary entries have the following schema; they are not in string representation. {inside}"
            )
        value["description"] += hint
        value["type"] = "string"
    return found


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = function["parameters"]
    return {
        "name": function["name"].replace(".", "_"),  # providers allow no points, and the checkers know that
        "description": function["description"],
        "parameters": {
            "type": "object",
            "properties": {name: _schema(value) for name, value in parameters["properties"].items()},
            "required": parameters.get("required", []),
        },
    }


def _schema(value: Mapping[str, Any]) -> dict[str, Any]:
    kind = value.get("type", "string")
    found: dict[str, Any] = {"type": _JSON_TYPES.get(kind, "string")}
    for name in ("description", "enum", "default", "required"):
        if name in value:
            found[name] = value[name]
    if kind == "float":
        found["format"] = "float"
        found["description"] = found.get("description", "") + " This is a float type value."
    if found["type"] == "object" and "properties" in value:
        found["properties"] = {name: _schema(inner) for name, inner in value["properties"].items()}
    if found["type"] == "array":
        found["items"] = _schema(value.get("items", {}))
    return found
