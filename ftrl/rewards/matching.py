"""Whether the output of a call holds a gold answer."""

from __future__ import annotations


def matches_reference(output: str, gold: str) -> bool:
    """The published rule: every part of the gold, split at ``", "``, is a substring of the output.

    Both are lower-cased, freed of commas and stripped first, so ``6,300`` stands in ``6300000``: known, and kept
    for comparability; the rules of the ``strict`` profile are tighter.
    """
    haystack = normalise(output)
    return all(normalise(part) in haystack for part in gold.split(", "))


def normalise(text: str) -> str:
    """Lower-case, without commas, without space at the ends."""
    return text.lower().replace(",", "").strip()
