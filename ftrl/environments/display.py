"""Statistics as a person reads them on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ftrl.environments.statistics import Spread, Statistics

COLUMNS = {
    "tools": "tools",
    "distractors": "distractors",
    "golds": "golds",
    "parameters": "parameters/tool",
    "required": "required/tool",
    "code_lines": "code lines/tool",
    "question_characters": "question characters",
}
"""Spreads shown in the table: field of ``Figures`` → heading."""


def console() -> Console:
    """Standard output; wide when it is not a terminal, so that a line stays a line."""
    out = Console(highlight=False, soft_wrap=True)
    return out if out.is_terminal else Console(highlight=False, soft_wrap=True, width=200)


def statistics_table(statistics: Statistics) -> Table:
    """One row a scenario; each figure as mean and range."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario")
    table.add_column("tasks", justify="right")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, figures in statistics.scenarios.items():
        spreads = (_spread(getattr(figures, field)) for field in COLUMNS)
        table.add_row(name, f"{figures.tasks:,}", *spreads, style="bold" if name == "all" else None)
    return table


def _spread(spread: Spread) -> str:
    if spread.mean is None:
        return "-"
    if spread.least == spread.most:
        return f"{spread.most:,}"
    return f"{spread.mean:,.1f} ({spread.least:,}-{spread.most:,})"
