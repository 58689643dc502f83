"""Texts and numbers on their way into the report."""

from __future__ import annotations

import json
import math
from typing import Any

from ftrl.tool_calls import mended

LONGEST = 12_000
"""Characters of one text that are shown; what a tool or a model says may be of any length."""


def clipped(text: str, longest: int = LONGEST) -> str:
    """The text without lone surrogates, and without what is too long to be read; says how much that is."""
    text = mended(text)
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n… {len(text) - longest:,} more characters are not shown"


def as_json(value: Any) -> str:
    """A value as indented JSON, clipped."""
    return clipped(json.dumps(value, ensure_ascii=False, indent=2))


def finite(value: Any) -> float | None:
    """The number, or null where it is none that JSON knows."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def short_path(path: str, keep: int = 3) -> str:
    """The end of a path, which tells one from another."""
    parts = path.rstrip("/").split("/")
    return path if len(parts) <= keep + 1 else "…/" + "/".join(parts[-keep:])


def inside(run: str, path: str) -> str:
    """A path below the run's as it is called there; any other by its end."""
    below = path.removeprefix(run.rstrip("/") + "/")
    return short_path(path) if below == path else below


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
