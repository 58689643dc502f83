"""Scoring profiles: which parser, which matcher, which metric. One code path, different parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ftrl.errors import InputError
from ftrl.rewards.answers import AnswerRule, answer_reference, answer_strict
from ftrl.rewards.assignment import Prospect, best_matching, first_come
from ftrl.rewards.matching import matches_reference, matches_strict
from ftrl.rewards.scrutiny import Claim, Verdict, scrutinise
from ftrl.sandbox import CallStatus
from ftrl.tool_calls import Parser, parse_qwen, parse_qwen_strict


@dataclass(frozen=True)
class Counts:
    """What a response's reward is made of; at least one call was made.

    Attributes:
        ticked: what its ticks are worth together: their number, if each is worth 1.
        calls: calls made.
        ready: golds that could have been ticked, at least 1.
    """

    ticked: float
    calls: int
    ready: int


Metric = Callable[[Counts], float]
"""The reward of a response with calls (paper, section 3.2)."""

METRICS: Mapping[str, Metric] = {
    "solve_f1": lambda of: 2 * of.ticked / (of.calls + 1),
    "solve_pr": lambda of: of.ticked * of.ticked / of.calls,
    "solve_rate": lambda of: float(of.ticked),
    "solve_precision": lambda of: of.ticked / of.calls,
}
"""The published training rewards by name."""

STRICT_METRICS: Mapping[str, Metric] = {
    "solve_f1": lambda of: 2 * of.ticked / (of.calls + of.ready),
    "solve_pr": lambda of: (of.ticked / of.calls) * (of.ticked / of.ready),
    # A share of what was ready; calls beyond that number cost, or spraying would be free.
    "solve_rate": lambda of: of.ticked / max(of.calls, of.ready),
    "solve_precision": lambda of: of.ticked / of.calls,
}
"""The same, in [0, 1]: each falls with every call that ticks nothing, once there are as many calls as golds ready."""

Assign = Callable[[Sequence[Prospect], AbstractSet[int]], Mapping[int, int]]
"""(calls and the golds they may tick, golds that are ready) → call → gold."""


@dataclass(frozen=True)
class Profile:
    """What decides a score.

    Attributes:
        name: as it is chosen on the command line.
        version: changes whenever a score could change.
        parser: reads the calls of a turn.
        matches: (output, gold) → whether the output holds the gold.
        tickable: the call statuses under which an output counts at all.
        scrutinise: asks more of a call before it may tick; None asks nothing.
        assign: decides between golds that a call could tick.
        metrics: training rewards by name.
        answer: the reward of a response that makes no call.
        counts_unparsable: whether a call that does not parse counts as a call.
        idle_precision: precision of a trajectory without any call.
    """

    name: str
    version: str
    parser: Parser
    matches: Callable[[str, str], bool]
    tickable: frozenset[CallStatus]
    scrutinise: Callable[[Claim], Verdict] | None
    assign: Assign
    metrics: Mapping[str, Metric]
    answer: AnswerRule
    counts_unparsable: bool
    idle_precision: float


REFERENCE = Profile(
    name="reference",
    version="reference-2025-08",
    parser=parse_qwen,
    matches=matches_reference,
    # As published, an error text may tick. A call that was stopped may not: the published time-out text quotes
    # the tool's source, answer included, which is a known defect.
    tickable=frozenset({CallStatus.OK, CallStatus.TOOL_ERROR}),
    scrutinise=None,
    assign=first_come,
    metrics=METRICS,
    answer=answer_reference,
    counts_unparsable=False,
    idle_precision=1.0,
)

STRICT = Profile(
    name="strict",
    version="strict-1",
    parser=parse_qwen_strict,
    matches=matches_strict,
    tickable=frozenset({CallStatus.OK}),
    scrutinise=scrutinise,
    assign=best_matching,
    metrics=STRICT_METRICS,
    answer=answer_strict,
    counts_unparsable=True,
    idle_precision=0.0,
)

PROFILES: dict[str, Profile] = {REFERENCE.name: REFERENCE, STRICT.name: STRICT}
"""Profiles by name."""


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROFILES:
        raise InputError(f"there is no scoring profile '{name}' in this version; choose {', '.join(sorted(PROFILES))}")
    return PROFILES[name]


def profiles_from(first: Profile) -> tuple[Profile, ...]:
    """All profiles, this one first: every score is reported under all of them."""
    return (first, *(profile for profile in PROFILES.values() if profile is not first))


def check_metric(name: str) -> None:
    """See that there is a training reward of that name.

    Raises:
        InputError: there is none.
    """
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; choose {', '.join(METRICS)}")
