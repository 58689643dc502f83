"""The figures of a benchmark, so that those of all can be gathered on one page (``benchmarks/all.py``)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

FILE = "FTRL_FIGURES"
"""Environment variable: the file to which figures are appended, a JSON line each; none are if it is not set."""


@dataclass(frozen=True)
class Figure:
    """One figure of one run.

    Attributes:
        what: what is compared, in words.
        value: mostly a ratio to the baseline of the same run.
        unit: behind the value.
        target: what it shall be at least (or at most, if it begins with ``<=``), as text; none if it is only told.
    """

    what: str
    value: float
    unit: str = "x"
    target: str = ""


def figure(what: str, value: float, unit: str = "x", target: str = "") -> None:
    """Note a figure, where somebody gathers them."""
    if path := os.environ.get(FILE):
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - a line at a time, from any process
            file.write(json.dumps(asdict(Figure(what, value, unit, target))) + "\n")
