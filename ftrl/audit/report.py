"""Audits of many tasks, added up."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import IO

from pydantic import Field

from ftrl.audit.audit import audit_tasks
from ftrl.audit.findings import Grade, Severity, TaskAudit
from ftrl.audit.probes import names_of_probes
from ftrl.environments import Tasks
from ftrl.environments.schema import Record
from ftrl.rewards import PROFILES

WORST = 10
"""Tasks that a report names."""

LEAST_PAY = 0.05
"""Pay that is worth speaking of: a strict profile may pay a guess among hundreds its share."""


class ProbeCount(Record):
    """What one probe found.

    Attributes:
        findings: how many findings there are.
        tasks: how many tasks have one.
        share: of all tasks, 0 to 1.
        severities: severity → findings.
        paid: scoring profile → findings for which it would pay; empty for probes that do not try to be paid.
    """

    findings: int = 0
    tasks: int = 0
    share: float = 0.0
    severities: dict[Severity, int] = Field(default_factory=dict)
    paid: dict[str, int] = Field(default_factory=dict)


class WorstTask(Record):
    """One of the worst tasks: which, how bad, and its worst findings in a line."""

    row: int
    id: str
    severity: Severity
    grade: Grade
    summary: str
    question: str


class AuditReport(Record):
    """An audit of a whole set of tasks.

    Attributes:
        tasks: how many there are.
        golds: how many golds they have.
        tools: how many tools.
        calls: how many calls were made in the sandbox.
        profiles: scoring profile → version, as far as this program knows any.
        severities: severity → tasks whose worst finding has it; tasks without a finding count as ``info``.
        grades: grade → tasks.
        probes: probe → what it found; probes that found nothing too.
        worst: the worst tasks, the worst first.
    """

    tasks: int
    golds: int
    tools: int
    calls: int
    profiles: dict[str, str]
    severities: dict[Severity, int]
    grades: dict[Grade, int]
    probes: dict[str, ProbeCount]
    worst: tuple[WorstTask, ...]


class Tally:
    """Adds audits up, one by one, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._tasks = self._golds = self._tools = self._calls = 0
        self._severities: Counter[Severity] = Counter()
        self._grades: Counter[Grade] = Counter()
        self._found: Counter[str] = Counter()
        self._in_tasks: Counter[str] = Counter()
        self._by_severity: Counter[tuple[str, Severity]] = Counter()
        self._paid: Counter[tuple[str, str]] = Counter()
        self._trying: set[str] = set()
        self._worst: list[tuple[tuple[int, int, int], WorstTask]] = []

    def add(self, audit: TaskAudit) -> None:
        """Take in one more task."""
        self._tasks += 1
        self._golds += audit.golds
        self._tools += audit.tools
        self._calls += audit.calls
        self._severities[audit.severity] += 1
        self._grades[audit.grade] += 1
        self._in_tasks.update({finding.probe for finding in audit.findings})
        for finding in audit.findings:
            self._found[finding.probe] += 1
            self._by_severity[finding.probe, finding.severity] += 1
            for profile, worth in finding.pays.items():
                self._trying.add(finding.probe)
                self._paid[finding.probe, profile] += worth >= LEAST_PAY
        if audit.severity is not Severity.INFO:
            self._keep(audit)

    def report(self) -> AuditReport:
        """All that was added, added up."""
        return AuditReport(
            tasks=self._tasks,
            golds=self._golds,
            tools=self._tools,
            calls=self._calls,
            profiles={name: profile.version for name, profile in PROFILES.items()},
            severities={severity: self._severities[severity] for severity in Severity},
            grades={grade: self._grades[grade] for grade in Grade},
            probes={probe: self._count(probe) for probe in names_of_probes()},
            worst=tuple(task for _, task in sorted(self._worst, key=lambda kept: kept[0], reverse=True)),
        )

    def _count(self, probe: str) -> ProbeCount:
        return ProbeCount(
            findings=self._found[probe],
            tasks=self._in_tasks[probe],
            share=self._in_tasks[probe] / self._tasks if self._tasks else 0.0,
            severities={one: count for one in Severity if (count := self._by_severity[probe, one])},
            paid={name: self._paid[probe, name] for name in PROFILES} if probe in self._trying else {},
        )

    def _keep(self, audit: TaskAudit) -> None:
        # Of tasks that are equally bad the first ones are named.
        order = (audit.severity.rank, len(audit.worst()), -audit.row)
        task = WorstTask(
            row=audit.row,
            id=audit.id,
            severity=audit.severity,
            grade=audit.grade,
            summary=audit.summary(),
            question=audit.question,
        )
        heapq.heappush(self._worst, (order, task))
        if len(self._worst) > WORST:
            heapq.heappop(self._worst)


def audit_report(
    tasks: Tasks,
    *,
    workers: int | None = None,
    lines: Sequence[IO[bytes]] = (),
    on_progress: Callable[[int], None] | None = None,
) -> AuditReport:
    """Audit every task and add it all up.

    Args:
        tasks: a store, or a file in the published format.
        workers: sandbox workers; as many as there are cores if None.
        lines: files, each of which gets every ``TaskAudit``, a line of JSON a task.
        on_progress: told after every task how many are done.

    Raises:
        InputError: a row of the file is no sound task.
        FtrlError: the sandbox cannot start, or keeps failing.
    """
    tally = Tally()
    for done, audit in enumerate(audit_tasks(tasks, workers=workers), start=1):
        tally.add(audit)
        for file in lines:
            file.write(json.dumps(audit.model_dump(mode="json"), ensure_ascii=False).encode() + b"\n")
        if on_progress is not None:
            on_progress(done)
    return tally.report()
