"""The paper's Table 2 with your models in it: the same columns, the paper's own rows beside them.

The paper's figures lie in ``paper_table2.csv`` as they were printed, as far as they are known here; a cell that is not
known is empty. They were measured by the published scripts, so own rows use the rules nearest to those.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from ftrl.errors import InputError
from ftrl.evaluation.results import EvalResults
from ftrl.evaluation.statistics import Estimate
from ftrl.evaluation.stored import StoredRun

PAPER = 'Ye et al. 2025, "Feedback-Driven Tool-Use Improvements in LLMs via Automated Build Environments", Table 2'
"""Where the paper's rows come from (arXiv 2508.08791)."""

COLUMNS = {
    "solve_p": "Solve-P",
    "solve_r": "Solve-R",
    "solve_f1": "Solve-F1",
    "toolhop_ac": "ToolHop AC",
    "tau_bench_pass1": "τ-bench pass^1",
    "rotbench_ts": "RoTBench TS",
    "rotbench_pi": "RoTBench PI",
    "rotbench_cf": "RoTBench CF",
}
"""Key → heading; the average is over exactly these."""

_CELLS = {
    "toolhop": {"toolhop_ac": "ftrl"},
    "tau-bench": {"tau_bench_pass1": "reward"},
    "rotbench": {"rotbench_ts": "ftrl_ts", "rotbench_pi": "ftrl_pi", "rotbench_cf": "ftrl_cf"},
}
"""Suite → column → the metric that stands there."""

FORMATS = ("text", "csv", "latex", "html")


@dataclass(frozen=True)
class Cell:
    """A figure in per cent; ``half`` is half the width of its 95 % interval, ``None`` where nobody knows it."""

    value: float
    half: float | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table; ``cells`` lacks what is not known, ``played`` says of which tasks each own figure is."""

    model: str
    thinking: bool
    method: str
    cells: Mapping[str, Cell]
    average: float | None
    played: tuple[str, ...] = ()


def paper_rows() -> list[Row]:
    """The paper's own rows."""
    text = resources.files(__package__).joinpath("paper_table2.csv").read_text(encoding="utf-8")
    return [
        Row(
            model=line["model"],
            thinking=line["thinking"] == "yes",
            method=line["method"],
            cells={column: Cell(float(line[column])) for column in COLUMNS if line[column]},
            average=float(line["average"]) if line["average"] else None,
        )
        for line in csv.DictReader(io.StringIO(text))
    ]


def own_rows(runs: Iterable[StoredRun]) -> list[Row]:
    """One row a model, in the order in which models come; its average only where every column is known.

    A row says that it is of a part if any of its runs left tasks out, and incomplete if episodes were not played.

    Raises:
        InputError: two runs of one model fill the same column, or a suite is not part of the table.
    """
    runs_of: dict[tuple[str, bool], list[StoredRun]] = {}
    for run in runs:
        runs_of.setdefault((run.model, run.thinking), []).append(run)
    return [_own_row(*who, own) for who, own in runs_of.items()]


def _own_row(model: str, thinking: bool, runs: Sequence[StoredRun]) -> Row:
    cells: dict[str, Cell] = {}
    for run in runs:
        for column, figure in _figures(run).items():
            if column in cells:
                raise InputError(f"two evaluations of {model} fill the column {COLUMNS[column]}", file=run.path)
            cells[column] = Cell(100 * figure.mean, 50 * (figure.high - figure.low))
    method = (
        "this run" + ", in part" * any(run.part for run in runs) + ", incomplete" * any(run.not_run for run in runs)
    )
    played = tuple(f"{run.suite}, {run.tasks}" for run in runs)
    return Row(model, thinking, method, cells, _average(cells), played)


def render_paper_table(own: Sequence[Row], form: str = "text") -> str:
    """The paper's rows, then the own ones.

    Args:
        own: see ``own_rows``.
        form: ``text``, ``csv``, ``latex`` or ``html``.

    Raises:
        InputError: there is no such form.
    """
    if form not in FORMATS:
        raise InputError(f"there is no form '{form}'; choose {', '.join(FORMATS)}")
    head = ["model", "thinking", "method", *COLUMNS.values(), "average"]
    rows = [_texts(row) for row in (*paper_rows(), *own)]
    notes = [f"Own row {row.model}: {'; '.join(row.played)}" for row in own if row.played]
    notes.append(f"Rows by others: {PAPER}. ± is half a 95 % interval.")
    if form == "csv":
        return _csv([*paper_rows(), *own])
    if form == "latex":
        return _latex(head, rows, notes)
    if form == "html":
        return _html(head, rows, notes)
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in [head, *rows]]
    return "\n".join([*(line.rstrip() for line in lines), *notes])


def _figures(run: StoredRun) -> dict[str, Estimate]:
    results = run.results
    if isinstance(results, EvalResults):
        macro = results.intervals.get("macro")
        if macro is None:
            raise InputError("this evaluation has no intervals; evaluate again, nothing is played anew", file=run.path)
        return {"solve_p": macro["precision"], "solve_r": macro["recall"], "solve_f1": macro["f1"]}
    if run.suite not in _CELLS:
        raise InputError(f"the paper's table has no column for {run.suite}", file=run.path)
    return {column: results.metrics[metric] for column, metric in _CELLS[run.suite].items()}


def _average(cells: Mapping[str, Cell]) -> float | None:
    if len(cells) < len(COLUMNS):
        return None
    return sum(cell.value for cell in cells.values()) / len(COLUMNS)


def _texts(row: Row) -> list[str]:
    def shown(cell: Cell | None) -> str:
        if cell is None:
            return ""
        return f"{cell.value:.2f}" + (f" ± {cell.half:.1f}" if cell.half is not None else "")

    average = "" if row.average is None else f"{row.average:.2f}"
    cells = [shown(row.cells.get(column)) for column in COLUMNS]
    return [row.model, "yes" if row.thinking else "no", row.method, *cells, average]


def _csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    halves = [f"{column}_half_interval" for column in COLUMNS]
    writer.writerow(["model", "thinking", "method", *COLUMNS, "average", *halves])
    for row in rows:
        cells = [row.cells.get(column) for column in COLUMNS]
        values = ["" if cell is None else f"{cell.value:.2f}" for cell in cells]
        known = ["" if cell is None or cell.half is None else f"{cell.half:.2f}" for cell in cells]
        average = "" if row.average is None else f"{row.average:.2f}"
        writer.writerow([row.model, "yes" if row.thinking else "no", row.method, *values, average, *known])
    return out.getvalue().rstrip("\n")


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "τ": r"$\tau$",
}


def _latex(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join("".join(_LATEX.get(sign, sign) for sign in cell) for cell in cells) + r" \\"

    return "\n".join(
        [
            *(f"% {note}" for note in notes),
            r"\begin{tabular}{lll" + "r" * (len(head) - 3) + "}",
            r"\hline",
            line(head),
            r"\hline",
            *map(line, rows),
            r"\hline",
            r"\end{tabular}",
        ]
    )


def _html(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    caption = "<br>\n".join(map(html.escape, notes))
    return (
        f"<table>\n<caption>{caption}</caption>\n<thead>\n{line(head, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
