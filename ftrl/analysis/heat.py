"""A comparison as a heat map: one HTML page of a few kilobytes that needs neither a network nor a script of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from ftrl.analysis.diff import Figures, ModelDiff, Part

DECADES = 1.0
"""The shades span so many powers of ten below the largest value; what is smaller is white."""

NOTHING = "-"
"""Stands where a figure has no meaning."""

_COLD, _HOT = (255, 255, 255), (216, 72, 32)

_STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem; }
table { border-collapse: collapse; margin: .6rem 0 2rem; font-variant-numeric: tabular-nums; }
th { font-weight: 600; text-align: right; padding: 2px 6px; white-space: nowrap; }
td { text-align: right; padding: 2px 8px; border: 1px solid #e8e8e8; white-space: nowrap; }
td.text, th.text { text-align: left; }
tr.gap td { border: 0; padding: 6px; }
p.note { max-width: 60rem; background: #fff6d8; padding: .3rem .6rem; margin: .3rem 0; }
code { font-size: 13px; }
"""


def shade(value: float | None, peak: float) -> tuple[int, int, int]:
    """Red, green and blue of a value, by its logarithm: white for nothing, full for the largest of its map."""
    if not value or not peak:
        return _COLD
    strength = max(0.0, 1.0 + math.log10(min(value / peak, 1.0)) / DECADES)
    red, green, blue = (round(cold + (hot - cold) * strength) for cold, hot in zip(_COLD, _HOT, strict=True))
    return red, green, blue


def heat_map(diff: ModelDiff) -> str:
    """The page: a map of each figure (layers down, modules across), then the table of modules."""
    maps = "".join(
        _map(diff, title, about, value)
        for title, about, value in (
            ("Relative change", "‖tuned - base‖ / ‖base‖", lambda figures: figures.relative),
            (
                "Share of the whole change",
                "‖tuned - base‖² here, of that of the whole model: large modules weigh more",
                lambda figures: figures.share,
            ),
            ("Numbers that changed", "share of the numbers that differ at all", lambda figures: figures.changed),
        )
    )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in diff.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>What training changed</title>'
        f"<style>{_STYLE}</style></head><body><h1>What training changed</h1>"
        f"<p>Base: <code>{escape(diff.base)}</code><br>Tuned: <code>{escape(diff.tuned)}</code><br>"
        f"{escape(diff.architecture)}, {diff.whole.elements:,} numbers; relative change of the whole: "
        f"{number(diff.whole.relative)}</p>{notes}"
        "<p>Colours go by the logarithm and fade out at a tenth of the largest value of a map; whole layers and what "
        "lies outside of the layers have shades of their own. Point at a cell for all its figures.</p>"
        f"{maps}{_modules(diff)}</body></html>\n"
    )


def _map(diff: ModelDiff, title: str, about: str, value: Callable[[Figures], float | None]) -> str:
    inside = [cell for cell in diff.cells if cell.layer is not None]
    outside = [cell for cell in diff.cells if cell.layer is None]
    names = [part.module for part in diff.modules if any(cell.module == part.module for cell in inside)]
    at = {(cell.layer, cell.module): cell for cell in inside}

    def peak(parts: Sequence[Part]) -> float:
        return max((value(part.figures) or 0.0 for part in parts), default=0.0)

    # Cells, sums over layers and what lies in no layer are of different sizes: each kind has shades of its own.
    of_cells, of_layers, of_others = peak(inside), peak(diff.layers), peak(outside)

    def cell(part: Part | None, highest: float) -> str:
        if part is None:
            return "<td></td>"
        shown = value(part.figures)
        red, green, blue = shade(shown, highest)
        return (
            f'<td style="background:#{red:02x}{green:02x}{blue:02x}" title="{escape(_all_figures(part))}">'
            f"{number(shown)}</td>"
        )

    head = "".join(f"<th>{escape(str(name))}</th>" for name in names)
    rows = "".join(
        f"<tr><th>{layer.layer}</th>"
        + "".join(cell(at.get((layer.layer, name)), of_cells) for name in names)
        + cell(layer, of_layers)
        + "</tr>"
        for layer in diff.layers
    )
    others = "".join(
        f'<tr><th class="text">{escape(str(part.module))}</th>{cell(part, of_others)}</tr>' for part in outside
    )
    return f"<h2>{title}</h2><p>{about}</p><table><tr><th>layer</th>{head}<th>whole layer</th></tr>{rows}</table>" + (
        f"<p>Outside of the layers:</p><table>{others}</table>" if others else ""
    )


def _modules(diff: ModelDiff) -> str:
    headings = ("numbers", "relative", "share", "cosine", "changed", "largest |Δ|", "rounding")
    head = "".join(f"<th>{heading}</th>" for heading in headings)

    def row(name: str, figures: Figures) -> str:
        cells = (
            f"{figures.elements:,}",
            number(figures.relative),
            f"{figures.share:.2%}",
            NOTHING if figures.cosine is None else f"{figures.cosine:.8f}",
            f"{figures.changed:.2%}",
            number(figures.largest),
            number(figures.rounding),
        )
        return f'<tr><th class="text">{escape(name)}</th>' + "".join(f"<td>{text}</td>" for text in cells) + "</tr>"

    rows = "".join(row(str(part.module), part.figures) for part in diff.modules)
    sums = "".join(row(str(part.module), part.figures) for part in diff.families) + row("all", diff.whole)
    return (
        f'<h2>Modules over all layers</h2><table><tr><th class="text">module</th>{head}</tr>{rows}'
        f'<tr class="gap"><td colspan="{len(headings) + 1}"></td></tr>{sums}</table>'
    )


def _all_figures(part: Part) -> str:
    figures = part.figures
    where = " ".join(
        [*([f"layer {part.layer}"] if part.layer is not None else []), *([part.module] if part.module else [])]
    )
    return (
        f"{where}: {figures.elements:,} numbers\nrelative change {number(figures.relative)}\n"
        f"share of the whole change {figures.share:.2%}\nchanged {figures.changed:.2%}\n"
        f"cosine {NOTHING if figures.cosine is None else format(figures.cosine, '.8f')}\n"
        f"largest difference {number(figures.largest)}\nrounding {number(figures.rounding)}"
    )


def number(value: float | None, digits: int = 2) -> str:
    """A small number, with so many digits behind the point."""
    return NOTHING if value is None else "0" if value == 0 else f"{value:.{digits}e}"
