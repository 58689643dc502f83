"""A comparison as a table, for the terminal and for pipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftrl.analysis.diff import Figures, ModelDiff
from ftrl.analysis.heat import NOTHING, number, shade
from ftrl.analysis.places import family


def console() -> Console:
    """Standard output; wide when it is not a terminal, so that a line stays a line."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=240)


def tables(diff: ModelDiff) -> RenderableType:
    """The relative change of each module in each layer, then the figures of each module over all layers."""
    parts: list[RenderableType] = [Text(f"note: {note}", style="yellow") for note in diff.notes]
    return Group(*parts, *([Text()] if parts else []), _layers(diff), Text(), _modules(diff))


def _layers(diff: ModelDiff) -> RenderableType:
    cells = {(cell.layer, cell.module): cell.figures for cell in diff.cells}
    inside = {cell.module for cell in diff.cells if cell.layer is not None}
    names = [str(part.module) for part in diff.modules if part.module in inside]
    if not names:
        return Text("no tensor lies in a layer (model.layers.N.…)")
    # Norms and biases are small and many: they share a column each, which shows the largest of them.
    columns: dict[str, list[str]] = {}
    for name in names:
        columns.setdefault(_column(name), []).append(name)
    peak = max((cell.figures.relative or 0.0 for cell in diff.cells if cell.layer is not None), default=0.0)
    table = Table(box=None, padding=(0, 1, 0, 0), title_justify="left", title="relative change, layer by layer")
    table.add_column("layer", justify="right")
    for column in (*columns, "all", "share"):
        table.add_column(column.removeprefix("attention.").removeprefix("mlp."), justify="right")
    for layer in diff.layers:
        found = ([cells.get((layer.layer, name)) for name in members] for members in columns.values())
        table.add_row(
            str(layer.layer),
            *(_heat(_largest(figures), peak) for figures in found),
            _heat(layer.figures.relative, peak),
            f"{layer.figures.share:.1%}",
        )
    return table


def _column(module: str) -> str:
    if module.endswith(".bias"):
        return "biases"
    return {"norms": "norms", "other": "other"}.get(family(module), module)


def _largest(figures: Iterable[Figures | None]) -> float | None:
    known = [each.relative for each in figures if each is not None and each.relative is not None]
    return max(known, default=None)


def _heat(value: float | None, peak: float) -> Text:
    red, green, blue = shade(value, peak)
    # Shades are made for a black text on white paper; a terminal may be dark, so both colours are given.
    style = f"black on rgb({red},{green},{blue})" if value else "dim"
    return Text(number(value, digits=1), style=style)


def _modules(diff: ModelDiff) -> RenderableType:
    rounded = any(part.figures.rounding for part in diff.modules)
    columns: dict[str, Callable[[Figures], str]] = {
        "numbers": lambda figures: f"{figures.elements:,}",
        "relative": lambda figures: number(figures.relative),
        "share": lambda figures: f"{figures.share:.1%}",
        "cosine": lambda figures: NOTHING if figures.cosine is None else f"{figures.cosine:.8f}",
        "changed": lambda figures: f"{figures.changed:.2%}",
        "max |Δ|": lambda figures: number(figures.largest),
        **({"rounding": lambda figures: number(figures.rounding)} if rounded else {}),
    }
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", title="module by module, over all layers")
    table.add_column("module")
    for heading in columns:
        table.add_column(heading, justify="right")
    last = ""
    for part in [*diff.modules, *diff.families]:
        name = str(part.module)
        if part in diff.families and last and part is diff.families[0]:
            table.add_row()
        table.add_row(name, *(show(part.figures) for show in columns.values()))
        last = name
    table.add_row("all", *(show(diff.whole) for show in columns.values()), style="bold")
    return table
