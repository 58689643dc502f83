"""Scoring profiles: which parser, which matcher, which metric. One code path, different parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftrl.errors import InputError
from ftrl.rewards.matching import matches_reference
from ftrl.sandbox import CallStatus
from ftrl.tool_calls import Parser, parse_qwen

Metric = Callable[[int, int], float]
"""(golds ticked, calls parsed; at least one) → reward of a response with calls (paper, section 3.2)."""

METRICS: dict[str, Metric] = {
    "solve_f1": lambda ticked, calls: 2 * ticked / (calls + 1),
    "solve_pr": lambda ticked, calls: ticked * ticked / calls,
    "solve_rate": lambda ticked, calls: float(ticked),
    "solve_precision": lambda ticked, calls: ticked / calls,
}
"""The published training rewards by name."""


@dataclass(frozen=True)
class Profile:
    """What decides a score.

    Attributes:
        name: as it is chosen on the command line.
        version: changes whenever a score could change.
        parser: reads the calls of a turn.
        matches: (output, gold) → whether the call may tick the gold.
        tickable: the call statuses under which an output counts at all.
    """

    name: str
    version: str
    parser: Parser
    matches: Callable[[str, str], bool]
    tickable: frozenset[CallStatus]


REFERENCE = Profile(
    name="reference",
    version="reference-2025-08",
    parser=parse_qwen,
    matches=matches_reference,
    # As published, an error text may tick. A call that was stopped may not: the published time-out text quotes
    # the tool's source, answer included, which is a known defect.
    tickable=frozenset({CallStatus.OK, CallStatus.TOOL_ERROR}),
)

PROFILES: dict[str, Profile] = {REFERENCE.name: REFERENCE}
"""Profiles by name."""


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROFILES:
        raise InputError(f"there is no scoring profile '{name}' in this version; choose {', '.join(sorted(PROFILES))}")
    return PROFILES[name]


def metric_named(name: str) -> Metric:
    """The training reward of that name.

    Raises:
        InputError: there is none.
    """
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; choose {', '.join(METRICS)}")
    return METRICS[name]
