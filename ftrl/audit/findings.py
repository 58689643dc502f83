"""What an audit finds: one ``Finding`` a defect, one ``TaskAudit`` a task."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from pydantic import Field, computed_field

from ftrl.environments.schema import Record
from ftrl.errors import InputError


class Severity(str, Enum):
    """How much a finding matters, the worst last."""

    INFO = "info"
    """Known, and no fault of the task: the scoring rules pay for it, or it costs nothing."""
    LOW = "low"
    """The task is worth a little less than it seems, or a tool that no gold belongs to is defective."""
    HIGH = "high"
    """A reward of this task can't be relied on."""
    SEVERE = "severe"
    """The task pays for nothing, or does not pay for honest work."""

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


class Grade(str, Enum):
    """The quality of a task, by its worst finding: A has nothing above ``info``, D something ``severe``."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    def meets(self, least: Grade) -> bool:
        """Whether this grade is at least as good."""
        return self.value <= least.value


def grade_named(name: str) -> Grade:
    """The grade of that name.

    Raises:
        InputError: there is none.
    """
    try:
        return Grade(name.upper())
    except ValueError:
        raise InputError(f"there is no grade '{name}'; choose {', '.join(grade.value for grade in Grade)}") from None


GRADE_OF = {Severity.INFO: Grade.A, Severity.LOW: Grade.B, Severity.HIGH: Grade.C, Severity.SEVERE: Grade.D}


class Finding(Record):
    """One thing that a probe found.

    Attributes:
        probe: the probe's name, a key of ``PROBES``.
        severity: how much it matters.
        tool: the tool at fault, if it is one.
        gold: the gold concerned, if it is one.
        evidence: what was seen, as a line that a person can read.
        pays: for probes that try to be paid: scoring profile → what it would pay, 0 to 1; else empty.
    """

    probe: str
    severity: Severity
    tool: str | None = None
    gold: str | None = None
    evidence: str
    pays: dict[str, float] = Field(default_factory=dict)


class TaskAudit(Record):
    """All findings of one task.

    Attributes:
        row: 0-based position among the tasks.
        id: the environment's id.
        question: its first line that says something, cut short.
        golds: how many golds it has.
        tools: how many tools.
        calls: calls that were made to find out.
        findings: the worst first.
    """

    row: int
    id: str
    question: str
    golds: int
    tools: int
    calls: int
    findings: tuple[Finding, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def severity(self) -> Severity:
        """That of the worst finding."""
        return max((finding.severity for finding in self.findings), key=lambda one: one.rank, default=Severity.INFO)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def grade(self) -> Grade:
        """The quality that ``--min-quality`` goes by."""
        return GRADE_OF[self.severity]

    def worst(self) -> list[Finding]:
        """The findings of the task's own severity."""
        return [finding for finding in self.findings if finding.severity is self.severity]

    def summary(self) -> str:
        """The worst findings in one line: probes with their counts."""
        counts = Counter(finding.probe for finding in self.worst())
        return ", ".join(f"{probe} x{count}" if count > 1 else probe for probe, count in counts.items())
