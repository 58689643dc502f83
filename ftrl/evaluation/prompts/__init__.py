"""Prompts that belong to a benchmark: what its authors published is what is asked, to the letter.

``tau_bench_user.txt``: the simulated user's rules, from tau-bench (Sierra Research, MIT) as the FTRL release spells
them. ``toolhop_*.txt``: the questions' frames, from ToolHop's evaluation as the FTRL release has it (Apache-2.0).
``general.txt`` is our own.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def prompt(name: str) -> str:
    """The prompt of that name, without the line break at its file's end; fields stand in braces."""
    return resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")
