"""Tasks to store: small ones made here, and rows in the published format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, source_id

MakeTask = Callable[..., tuple[Environment, dict[str, str]]]
WriteRows = Callable[[list[dict[str, Any] | str]], str]


def function_schema(name: str) -> dict[str, Any]:
    properties = {"city": {"type": "string", "description": "A city."}}
    parameters = {"type": "object", "properties": properties, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": "Finds.", "parameters": parameters}}


def source_of(name: str) -> str:
    return f"def {name}(city):\n    return {{'Lyon': '522,250'}}.get(city)\n"


@pytest.fixture
def make_task() -> MakeTask:
    """A function that makes a task with this question and these tools; the first tool has the gold."""

    def make(question: str = "How many people?", tools: tuple[str, ...] = ("find",), **more: Any) -> Any:
        sources = {name: source_of(name) for name in tools}
        environment = Environment(
            **{
                "scenario": Scenario.SINGLE_HOP,
                "question": question,
                "tools": tuple(map(function_schema, tools)),
                "implementations": {name: source_id(source) for name, source in sources.items()},
                "golds": (Gold(tool=tools[0], value="522,250"),),
                **more,
            }
        )
        return environment, sources

    return make


@pytest.fixture
def make_store(tmp_path: Path, make_task: MakeTask) -> Callable[..., str]:
    """A function that makes a store with ``count`` tasks."""

    def make(count: int = 3, name: str = "store", **how: bool) -> str:
        path = str(tmp_path / name)
        with EnvironmentStore.create(path, **how) as writer:
            for number in range(count):
                writer.add(*make_task(f"Question {number}?"))
        return path

    return make


@pytest.fixture
def row() -> dict[str, Any]:
    """A sound row in the published format."""
    return {
        "messages": [{"content": "How many people live in Lyon?", "role": "user"}],
        "tools": json.dumps([function_schema("find"), function_schema("guess")]),
        "codes": json.dumps({"find": source_of("find"), "guess": source_of("guess")}),
        "unsolved_set": json.dumps({"find": ["522,250"]}),
        "solve_rate": 0.0,
        "data_source": "self/single_hop",
        "split": "train",
        "answer": "522,250",
    }


@pytest.fixture
def write_rows(tmp_path: Path) -> WriteRows:
    """A function that writes rows (or raw lines) as JSONL and tells the path."""

    def write(rows: list[dict[str, Any] | str]) -> str:
        path = tmp_path / "tasks.jsonl"
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
        return str(path)

    return write
