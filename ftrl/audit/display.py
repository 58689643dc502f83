"""An audit as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ftrl.audit.findings import Severity
from ftrl.audit.report import AuditReport

STYLES = {Severity.SEVERE: "bold red", Severity.HIGH: "red", Severity.LOW: "yellow", Severity.INFO: "dim"}


def report_view(report: AuditReport) -> Iterator[RenderableType]:
    """Probes with their counts, tasks by severity, and the worst tasks, to be printed one after the other."""
    yield Text(f"{report.tasks:,} tasks, {report.golds:,} golds, {report.tools:,} tools; {report.calls:,} calls made")
    yield Text()
    yield _probes(report)
    quiet = [probe for probe, count in report.probes.items() if not count.findings]
    if quiet:
        yield Text(f"nothing found by {', '.join(quiet)}", style="dim")
    yield Text()
    yield Text("Tasks by their worst finding", style="bold")
    for severity, grade in zip(reversed(Severity), "DCBA", strict=True):
        count = report.severities[severity]
        said = f"  {grade}  {severity.value:<7}{count:>7,}  {count / max(report.tasks, 1):>6.1%}"
        yield Text(said, style=STYLES[severity])
    if report.worst:
        yield Text()
        yield Text("The worst tasks", style="bold")
        for task in report.worst:
            yield Text(f"  row {task.row}  {task.id[:12]}  {task.severity.value}: {task.summary}")


def print_json(report: AuditReport, lines: IO[bytes]) -> None:
    """Print one JSON object: the ``report``, and ``tasks``, whose audits stand in ``lines``, a line each."""
    print(f'{{"report": {report.model_dump_json(indent=2)},\n"tasks": [')
    before = ""
    for line in lines:
        print(before + line.decode().rstrip("\n"), end="")
        before = ",\n"
    print("\n]}")


def _probes(report: AuditReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("probe")
    table.add_column("worst")
    for heading in ("findings", "tasks", "share", *(f"paid under {name}" for name in report.profiles)):
        table.add_column(heading, justify="right")
    for probe, count in report.probes.items():
        if not count.findings:
            continue
        paid = [f"{count.paid[name]:,}" if name in count.paid else "-" for name in report.profiles]
        worst = max(count.severities, key=lambda severity: severity.rank)
        figures = (f"{count.findings:,}", f"{count.tasks:,}", f"{count.share:.0%}")
        table.add_row(probe, worst.value, *figures, *paid, style=STYLES[worst])
    return table
