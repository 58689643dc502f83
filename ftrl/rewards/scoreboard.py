"""The golds of one task while an episode goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftrl.errors import FtrlError
from ftrl.rewards.profiles import Profile
from ftrl.sandbox import CallResult, CallStatus
from ftrl.tool_calls import ParsedCall


class Unscorable(FtrlError):
    """A call failed through a fault of ours; what it belongs to must be run again, never scored."""


@dataclass(frozen=True)
class ScoredCall:
    """A call, what came back, and the index of the gold that it ticked, if any."""

    call: ParsedCall
    result: CallResult
    gold: int | None


@dataclass(frozen=True)
class TrajectoryMetrics:
    """Scores of a whole episode (paper, section 4.1): s golds solved, c calls made, g golds at the start.

    Attributes:
        precision: s / c; 1.0 where no call was made.
        recall: s / g.
        f1: 2s / (c + g).
    """

    precision: float
    recall: float
    f1: float


class Scoreboard:
    """Which golds are solved, and how many calls it took.

    Args:
        golds: (tool, value) pairs, in the task's order; not changed. May be empty: then nothing ticks, and shares
            of the golds (``solve_rate``, ``metrics``) do not exist.
        profile: decides what ticks.
    """

    def __init__(self, golds: Sequence[tuple[str, str]], profile: Profile) -> None:
        self._golds = tuple(golds)
        self._profile = profile
        self._solved: set[int] = set()
        self.calls = 0

    @classmethod
    def of(cls, unsolved: Mapping[str, Sequence[str]], profile: Profile) -> Scoreboard:
        """A board of the golds in ``{tool: [values]}``."""
        return cls([(tool, value) for tool, values in unsolved.items() for value in values], profile)

    def record(self, calls: Sequence[ParsedCall], results: Sequence[CallResult]) -> list[ScoredCall]:
        """Count the calls of one turn and tick golds, call by call.

        Raises:
            Unscorable: a result is ``infrastructure``; nothing was recorded.
        """
        for call, result in zip(calls, results, strict=True):
            if result.status is CallStatus.INFRASTRUCTURE:
                raise Unscorable(f"the call of {call.name} could not be run: {result.output}")
        self.calls += len(calls)
        return [ScoredCall(call, result, self._tick(call, result)) for call, result in zip(calls, results, strict=True)]

    def _tick(self, call: ParsedCall, result: CallResult) -> int | None:
        if result.status not in self._profile.tickable:
            return None
        for index, (tool, value) in enumerate(self._golds):
            if tool == call.name and index not in self._solved and self._profile.matches(result.output, value):
                self._solved.add(index)
                return index
        return None

    @property
    def solved(self) -> frozenset[int]:
        """Indices of the golds that are solved."""
        return frozenset(self._solved)

    @property
    def solve_rate(self) -> float:
        """Share of the golds that is solved."""
        return 1 - (len(self._golds) - len(self._solved)) / len(self._golds)

    def unsolved(self) -> dict[str, list[str]]:
        """The golds still open as ``{tool: [values]}``; tools with none left keep an empty list, as published."""
        open_golds: dict[str, list[str]] = {tool: [] for tool, _ in self._golds}
        for index, (tool, value) in enumerate(self._golds):
            if index not in self._solved:
                open_golds[tool].append(value)
        return open_golds

    def metrics(self) -> TrajectoryMetrics:
        """Precision, recall and F1 of everything recorded so far."""
        solved, golds = len(self._solved), len(self._golds)
        return TrajectoryMetrics(
            precision=solved / self.calls if self.calls else 1.0,
            recall=solved / golds,
            f1=2 * solved / (self.calls + golds),
        )
