"""How far a synthesis is, stage by stage: live on a terminal, in plain lines elsewhere. On stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from ftrl.synthesis.config import StageReport, SynthesisReport

LINES = 10
"""Plain lines of a run, about;"""

QUIET_SECONDS = 30.0
"""and one more whenever there was none for so long, to tell what is in flight."""


class SynthesisShown:
    """To be told of reports while a ``with`` block lasts.

    Args:
        count: items of the run.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._live: Live | None = None
        self._next_line = 0
        self._told = 0.0

    def __enter__(self) -> SynthesisShown:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True)
            self._live.start()
        return self

    def __call__(self, report: SynthesisReport) -> None:
        """Show a report."""
        if self._live is not None:
            self._live.update(_table(report, self._count))
        elif report.done >= self._next_line or report.seconds - self._told >= QUIET_SECONDS:
            print(_line(report, self._count), file=sys.stderr)
            self._next_line = report.done + max(1, self._count // LINES)
            self._told = report.seconds

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()


def stage_lines(stages: list[StageReport]) -> list[str]:
    """The yield of each stage, for a person."""
    lines = []
    for stage in stages:
        rejected = _counts(stage.rejected) or "none rejected"
        again = f", {stage.repeated} again after a worker died" if stage.repeated else ""
        again += f"; sent back: {_counts(stage.sent_back)}" if stage.sent_back else ""
        each = 1000 * stage.seconds / max(1, stage.entered)
        lines.append(
            f"{stage.name:<12}{stage.entered:>8} in {stage.left:>8} out   {each:8.1f} ms each   {rejected}{again}"
        )
    return lines


def _counts(rules: dict[str, int]) -> str:
    return ", ".join(f"{number} {rule}" for rule, number in rules.items())


def _line(report: SynthesisReport, count: int) -> str:
    rejected = sum(report.rejections.values())
    stages = "; ".join(f"{stage.name} {stage.left}, {stage.in_flight} in flight" for stage in report.stages)
    return f"synth: {report.done} of {count} items, {rejected} rejections, {report.seconds:.0f} s ({stages})"


def _table(report: SynthesisReport, count: int) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    heads = ("stage", "in", "out", "sent back", "rejected", "in flight", "ms each", "why rejected")
    table = Table(*heads, box=None, pad_edge=False)
    for column in table.columns[1:-1]:
        column.justify = "right"
    for stage in report.stages:
        counts = (sum(stage.sent_back.values()), sum(stage.rejected.values()))
        numbers = (stage.entered, stage.left, *counts, stage.in_flight)
        each = f"{1000 * stage.seconds / max(1, stage.entered):.1f}"
        table.add_row(stage.name, *map(str, numbers), each, _counts(stage.rejected))
    head = f"{report.done} of {count} items, {report.accepted} accepted, {report.seconds:.0f} s"
    return Group(head, ProgressBar(total=count, completed=report.done, width=60), table)
