"""Episodes that are in no figure, said in the same words wherever figures are shown."""

from __future__ import annotations

from collections.abc import Mapping

MOST_NAMED = 5
"""Episodes that failed for one reason, of which so many are named to people; ``results.json`` names all."""


def missing(played: int, not_run: Mapping[str, str]) -> str | None:
    """How much is not there; ``None`` where nothing is missing.

    Args:
        played: episodes that are in the figures.
        not_run: ``task/trial`` → why, of the others.
    """
    if not not_run:
        return None
    return f"{len(not_run)} of {played + len(not_run)} episodes were not played and are in no figure"


def marked(played: int, not_run: Mapping[str, str]) -> list[str]:
    """A line for the head of a table whose figures are not of all that was asked for."""
    told = missing(played, not_run)
    return [] if told is None else [f"INCOMPLETE: {told}"]


def listed(not_run: Mapping[str, str]) -> list[str]:
    """A line for each reason, with the first of its episodes."""
    by_reason: dict[str, list[str]] = {}
    for key, why in not_run.items():
        by_reason.setdefault(why, []).append(key)
    lines = []
    for why, keys in by_reason.items():
        more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
        lines.append(f"not run: {', '.join(keys[:MOST_NAMED])}{more}: {why}")
    return lines
