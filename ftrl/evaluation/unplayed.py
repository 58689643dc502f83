"""Tasks and episodes that are in no figure, said in the same words wherever figures are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_NAMED = 5
"""Episodes that failed for one reason, of which so many are named to people; ``results.json`` names all."""

MOST_REASONS = 5
"""Reasons that are told to people. A provider may put a request's number into each of its errors."""

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


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
    for why, keys in list(by_reason.items())[:MOST_REASONS]:
        more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
        lines.append(f"not run: {', '.join(map(short, keys[:MOST_NAMED]))}{more}: {why}")
    left = list(by_reason.values())[MOST_REASONS:]
    if left:
        lines.append(
            f"not run: {sum(map(len, left))} more, for {len(left)} more reasons; results.json has them under not_run"
        )
    return lines


def short(id_: str) -> str:
    """A task's id for people: of our own tasks, whose ids are digests, the beginning."""
    return _DIGEST.sub(r"\1", id_)


def part(limit: int | None, available: int | None) -> str | None:
    """How much of a benchmark was asked for; ``None`` where that is all of it, or where it is not known."""
    if limit is None or available is None or limit >= available:
        return None
    return f"{limit:,} of its {available:,} tasks"
