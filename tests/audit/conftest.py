"""Small tasks with one defect each, and the audit that must find it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrl.audit import Auditor, Finding, TaskAudit
from ftrl.environments import Environment, Gold, Scenario, SubQuestion, source_id

Task = tuple[Environment, dict[str, str]]

SOUND = """
def people(city):
    known = {"Lyon": "522,250", "Nantes": "320,732"}
    if not isinstance(city, str):
        raise TypeError("city must be a text")
    if city not in known:
        raise LookupError("there is no such city")
    return {"people": known[city]}
"""

_number = itertools.count()


def _schema(name: str, parameters: dict[str, Any], required: list[str] | None) -> dict[str, Any]:
    needed = list(parameters) if required is None else required
    inner = {"type": "object", "properties": parameters, "required": needed}
    return {"type": "function", "function": {"name": name, "description": "Finds a fact.", "parameters": inner}}


def _make_task(
    source: str | None = SOUND,
    *,
    parameters: dict[str, Any] | None = None,
    required: list[str] | None = None,
    golds: tuple[str, ...] = ("522,250",),
    golden: tuple[tuple[str, str, dict[str, Any]], ...] = (),
    question: str | None = None,
    others: dict[str, str] | None = None,
    **more: Any,
) -> Task:
    takes = {"city": {"type": "string", "description": "The city."}} if parameters is None else parameters
    documents = [_schema("people", takes, required)]
    sources = {} if source is None else {"people": source}
    for other, text in (others or {}).items():
        documents.append(_schema(other, takes, required))
        sources[other] = text
    environment = Environment(
        **{
            "scenario": Scenario.SINGLE_HOP,
            # Every task asks something else, so that no two are the same.
            "question": question or f"How many people live in Lyon ({'x' * next(_number)})?",
            "tools": tuple(documents),
            "implementations": {tool: source_id(text) for tool, text in sources.items()},
            "golds": tuple(Gold(tool="people", value=value) for value in golds),
            "trace": tuple(
                SubQuestion(id=f"q{i}", text="?", answer=answer, tool=tool, arguments=arguments)
                for i, (answer, tool, arguments) in enumerate(golden, start=1)
            ),
            **more,
        }
    )
    return environment, sources


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """A function that makes a task. What is not said is sound.

    ``source`` and ``golds`` are those of the tool ``people``, which takes a ``city``; ``others`` are further tools
    with the same parameters; ``golden`` are golden calls: (answer, tool, arguments).
    """
    return _make_task


@pytest.fixture(scope="session")
def auditor() -> Iterator[Auditor]:
    with Auditor(workers=1) as auditor:
        yield auditor


@pytest.fixture
def audit(auditor: Auditor) -> Callable[..., TaskAudit]:
    """A function that makes a task, as ``make_task`` does, and audits it."""

    def make(*arguments: Any, **named: Any) -> TaskAudit:
        return auditor.audit(*_make_task(*arguments, **named))

    return make


@pytest.fixture
def found(audit: Callable[..., TaskAudit]) -> Callable[..., list[Finding]]:
    """A function that audits a task and keeps the findings of one probe."""

    def make(probe: str, *arguments: Any, **named: Any) -> list[Finding]:
        return [finding for finding in audit(*arguments, **named).findings if finding.probe == probe]

    return make
