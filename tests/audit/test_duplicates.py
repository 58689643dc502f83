"""The same thing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrl.audit import Auditor, Finding, Severity, TaskAudit

MakeTask = Callable[..., Any]


@pytest.fixture
def fresh() -> Iterator[Auditor]:
    with Auditor(workers=1) as auditor:
        yield auditor


def among(audited: TaskAudit) -> list[tuple[str, str]]:
    return [(one.probe, one.evidence) for one in audited.findings if one.probe.startswith("same_")]


def test_the_same_task_under_another_id_is_found(fresh: Auditor, make_task: MakeTask) -> None:
    environment, sources = make_task()
    assert not among(fresh.audit(environment, sources))
    copy = environment.model_copy(update={"answer": "another", "id": "0" * 64})
    assert among(fresh.audit(copy, sources)) == [("same_task", "question, golds and code are those of row 0")]


def test_the_same_question_in_other_letters_is_found(fresh: Auditor, make_task: MakeTask) -> None:
    audits = fresh.audit_together(
        [
            make_task(question="How many people live in Lyon?"),
            make_task(question="How many people live in Nantes?"),
            make_task(question="how many people live in  LYON?", golds=("320,732",)),
        ]
    )
    assert [among(audited) for audited in audits] == [
        [],
        [],
        [("same_question", "the question is that of row 0")],
    ]
    assert [audited.row for audited in audits] == [0, 1, 2]


def test_the_same_code_under_two_names_is_found(found: Callable[..., list[Finding]]) -> None:
    code = '\n    """Finds."""\n    return {"Lyon": "522,250"}.get(city, "unknown")'
    twin = code.replace("Finds", "Seeks")
    (finding,) = found("twin_tools", f"def people(city):{code}", others={"folk": f"def folk(city):{twin}"})
    assert (finding.tool, finding.severity) == ("folk", Severity.HIGH)
    assert finding.evidence == "its code is that of 'people'"
    other = code.replace("Lyon", "Nantes")
    assert not found("twin_tools", f"def people(city):{code}", others={"folk": f"def folk(city):{other}"})


def test_twins_without_golds_are_only_low(found: Callable[..., list[Finding]]) -> None:
    others = {name: f"def {name}(city):\n    return 'x'" for name in ("left", "right")}
    (finding,) = found("twin_tools", others=others)
    assert finding.severity is Severity.LOW
