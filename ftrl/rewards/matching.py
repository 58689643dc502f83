"""Whether the output of a call holds a gold answer: the published rule, and a strict one."""

from __future__ import annotations

from functools import lru_cache

from ftrl.rewards.reading import read_output
from ftrl.rewards.tokens import fold, parts_of

GOLDS_REMEMBERED = 4096
"""Golds that are taken apart but once."""


def matches_reference(output: str, gold: str) -> bool:
    """The published rule: every part of the gold, split at ``", "``, is a substring of the output.

    Both are lower-cased, freed of commas and stripped first, so ``6,300`` stands in ``6300000``: known, and kept
    for comparability; the rules of the ``strict`` profile are tighter.
    """
    haystack = normalise(output)
    return all(part in haystack for part in _normal_parts(gold))


@lru_cache(maxsize=GOLDS_REMEMBERED)
def _normal_parts(gold: str) -> tuple[str, ...]:
    """What is looked for is the same for every call of a task."""
    return tuple(normalise(part) for part in gold.split(", "))


def normalise(text: str) -> str:
    """Lower-case, without commas, without space at the ends."""
    return text.lower().replace(",", "").strip()


def matches_strict(output: str, gold: str) -> bool:
    """By value: every part of the gold is a leaf of the output, or stands in one between other words.

    A part may also be the whole name of a field (``{"Japan": 12}``): then the tool found that name. A gold without
    any word or number has to be the whole output.
    """
    parts = parts_of(gold)
    if not parts:
        return bool(gold.strip()) and fold(output) == fold(gold)
    reading = read_output(output)
    return all(next(reading.holding(part), None) is not None for part in parts)
