"""Audits added up."""

from __future__ import annotations

from pathlib import Path

from ftrl.audit import Finding, Grade, Severity, Tally, TaskAudit, grade_named, meaning, names_of_probes
from ftrl.rewards import PROFILES


def finding(probe: str = "echo", severity: Severity = Severity.INFO, **pays: float) -> Finding:
    return Finding(probe=probe, severity=severity, evidence="seen", pays=pays)


def audited(row: int, *findings: Finding) -> TaskAudit:
    return TaskAudit(row=row, id="0" * 64, question="?", golds=2, tools=3, calls=10, findings=findings)


def test_the_worst_finding_makes_severity_and_grade() -> None:
    assert (audited(0).severity, audited(0).grade) == (Severity.INFO, Grade.A)
    for severity, grade in zip(Severity, Grade, strict=True):
        task = audited(0, finding(), finding(severity=severity))
        assert (task.severity, task.grade) == (severity, grade)


def test_a_grade_meets_those_below_it() -> None:
    assert [grade.meets(Grade.B) for grade in Grade] == [True, True, False, False]
    assert grade_named("c") is Grade.C


def test_a_tally_counts_findings_tasks_and_what_profiles_would_pay() -> None:
    tally = Tally()
    tally.add(audited(0, finding("echo", reference=1.0), finding("echo", reference=0.0)))
    tally.add(audited(1, finding("short_gold", Severity.LOW)))
    report = tally.report()
    assert (report.tasks, report.golds, report.tools, report.calls) == (2, 4, 6, 20)
    assert report.probes["echo"].model_dump() == {
        "findings": 2,
        "tasks": 1,
        "share": 0.5,
        "severities": {Severity.INFO: 2},
        "paid": {name: int(name == "reference") for name in PROFILES},
    }
    assert report.probes["short_gold"].paid == {}
    assert report.probes["slow_tool"].findings == 0
    assert report.severities == {Severity.INFO: 1, Severity.LOW: 1, Severity.HIGH: 0, Severity.SEVERE: 0}
    assert report.grades == {Grade.A: 1, Grade.B: 1, Grade.C: 0, Grade.D: 0}


def test_the_worst_tasks_come_first_and_sound_ones_are_not_named() -> None:
    tally = Tally()
    for row, severities in enumerate([["low"], [], ["severe"], ["high", "high"], ["severe", "severe"], ["high"]]):
        tally.add(audited(row, *(finding(severity=Severity(severity)) for severity in severities)))
    assert [task.row for task in tally.report().worst] == [4, 2, 3, 5, 0]
    assert tally.report().worst[0].summary == "echo x2"


def test_a_tally_names_ten_tasks_however_many_there_are() -> None:
    tally = Tally()
    for row in range(1000):
        tally.add(audited(row, finding(severity=Severity.LOW)))
    assert [task.row for task in tally.report().worst] == list(range(10))


def test_every_probe_says_in_a_sentence_what_it_finds() -> None:
    for probe in names_of_probes():
        assert meaning(probe).endswith("."), probe


def test_every_probe_is_explained_in_the_documentation() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text()
    assert not [probe for probe in names_of_probes() if f"`{probe}`" not in text]
