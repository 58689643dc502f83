"""The golds of one task while an episode goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftrl.errors import FtrlError
from ftrl.rewards.arguments import NO_SCHEMA, Schema, canonical, gist_of, read_arguments
from ftrl.rewards.assignment import Prospect
from ftrl.rewards.context import Context, Earlier
from ftrl.rewards.grounding import Grounds
from ftrl.rewards.profiles import Profile
from ftrl.rewards.scrutiny import CERTAIN, Claim, Verdict
from ftrl.sandbox import CallResult, CallStatus
from ftrl.tool_calls import ParsedCall

Probing = Callable[[Sequence[ParsedCall]], Sequence[CallResult]]
"""Makes the probes of a turn, and says what they returned, in order."""


class Unscorable(FtrlError):
    """A call failed through a fault of ours; what it belongs to must be run again, never scored."""


@dataclass(frozen=True)
class ScoredCall:
    """A call, what came back, and the index of the gold that it ticked, if any, with the tick's worth."""

    call: ParsedCall
    result: CallResult
    gold: int | None
    worth: float = 1.0


@dataclass(frozen=True)
class TrajectoryMetrics:
    """Scores of a whole episode (paper, section 4.1): s golds solved, c calls made, g golds at the start.

    Where a tick is worth less than 1, s is the sum of what they are worth.

    Attributes:
        precision: s / c; where no call was made, 1.0 as published, 0.0 under the strict profile.
        recall: s / g.
        f1: 2s / (c + g).
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Claimed:
    """A call that may tick golds: its position in the turn, the golds, the verdict, and its key among equal calls."""

    call: int
    golds: tuple[int, ...]
    verdict: Verdict = CERTAIN
    key: str = ""


@dataclass(frozen=True)
class Considered:
    """A turn, looked at but not yet recorded.

    Attributes:
        calls: the turn's calls.
        results: what they returned.
        unparsable: calls that could not be read.
        claims: the calls that may tick.
    """

    calls: tuple[ParsedCall, ...]
    results: tuple[CallResult, ...]
    unparsable: int
    claims: tuple[Claimed, ...]

    @property
    def probes(self) -> tuple[ParsedCall, ...]:
        """Calls that must be made before ``settle`` can tell which golds are ticked; mostly none."""
        return tuple(probe for claimed in self.claims for probe in claimed.verdict.probes)


class Scoreboard:
    """Which golds are solved, and how many calls it took.

    Args:
        golds: (tool, value) pairs, in the task's order; not changed. May be empty: then nothing ticks, and shares
            of the golds (``solve_rate``, ``metrics``) do not exist.
        profile: decides what ticks.
        context: what the profile may know beside the calls.
    """

    def __init__(self, golds: Sequence[tuple[str, str]], profile: Profile, context: Context | None = None) -> None:
        self._golds = tuple(golds)
        self._profile = profile
        self._context = context if profile.scrutinise is not None else None
        self._solved: dict[int, float] = {}
        self._ticked: set[str] = set()
        self._told: set[tuple[tuple[str, str], str]] = set()
        self._made: dict[tuple[str, str], list[ParsedCall]] = {}
        self.calls = 0
        if self._context is not None:
            self._remember(self._context.history)

    @classmethod
    def of(cls, unsolved: Mapping[str, Sequence[str]], profile: Profile, context: Context | None = None) -> Scoreboard:
        """A board of the golds in ``{tool: [values]}``."""
        return cls([(tool, value) for tool, values in unsolved.items() for value in values], profile, context)

    @property
    def profile(self) -> Profile:
        """What decides."""
        return self._profile

    def record(
        self,
        calls: Sequence[ParsedCall],
        results: Sequence[CallResult],
        unparsable: int = 0,
        probing: Probing | None = None,
    ) -> list[ScoredCall]:
        """Count the calls of one turn and tick golds. Without ``probing``, what would need a probe is not ticked.

        Raises:
            Unscorable: a result is ``infrastructure``; nothing was recorded.
        """
        considered = self.consider(calls, results, unparsable)
        return self.settle(considered, None if probing is None else probing(considered.probes))

    def consider(self, calls: Sequence[ParsedCall], results: Sequence[CallResult], unparsable: int = 0) -> Considered:
        """Look at the calls of one turn, and say which probes are needed; records nothing.

        Raises:
            Unscorable: a result is ``infrastructure``.
        """
        for call, result in zip(calls, results, strict=True):
            _check(call, result)
        grounds = None
        if self._context is not None:
            task = self._context.task
            grounds = Grounds(self._context, lambda: task.solved_values(self.unsolved()))
        pairs = enumerate(zip(calls, results, strict=True))
        claims = [claimed for at, (call, result) in pairs if (claimed := self._claim(at, call, result, grounds))]
        if self._profile.scrutinise is not None:
            claims = list(self._without_twins(calls, _first_of_each(claims, results)))
        return Considered(tuple(calls), tuple(results), unparsable, tuple(claims))

    def _claim(self, position: int, call: ParsedCall, result: CallResult, grounds: Grounds | None) -> Claimed | None:
        profile = self._profile
        if result.status not in profile.tickable:
            return None
        output = self._seen(result)
        golds = tuple(
            index
            for index, (tool, value) in enumerate(self._golds)
            if tool == call.name and index not in self._solved and profile.matches(output, value)
        )
        if not golds or profile.scrutinise is None:
            return Claimed(position, golds) if golds else None
        key = self._key(call)
        if key in self._ticked or any(self._key(earlier) == key for earlier in self._made.get((call.name, output), ())):
            return None
        verdict = profile.scrutinise(
            Claim(call, output, [self._golds[gold][1] for gold in golds], self._context, grounds)
        )
        kept = tuple(gold for gold, holds in zip(golds, verdict.holds, strict=True) if holds)
        return Claimed(position, kept, verdict, key) if kept else None

    def _without_twins(self, calls: Sequence[ParsedCall], claims: Iterable[Claimed]) -> Iterator[Claimed]:
        """Where a gold stands twice, it needs two calls that differ in what the document asks for."""
        told = set(self._told)
        for claimed in claims:
            twins = [gold for gold in claimed.golds if self._golds.count(self._golds[gold]) > 1]
            gist = gist_of(*self._read(calls[claimed.call])) if twins else ""
            golds = tuple(gold for gold in claimed.golds if (self._golds[gold], gist) not in told)
            told.update((self._golds[gold], gist) for gold in twins)
            if golds:
                yield replace(claimed, golds=golds)

    def _seen(self, result: CallResult) -> str:
        """What the profile looks at: the output, or as much of it as the model was shown."""
        return result.output if self._context is None else self._context.visible(result.output)

    def _key(self, call: ParsedCall) -> str:
        """Equal for calls that are the same."""
        return f"{call.name}\n{canonical(*self._read(call))}"

    def _read(self, call: ParsedCall) -> tuple[Any, Schema]:
        """The arguments of a call, and what the document says about them."""
        document = self._context.task.document(call.name) if self._context is not None else None
        return read_arguments(call.arguments), document or NO_SCHEMA

    def settle(self, considered: Considered, probed: Sequence[CallResult] | None) -> list[ScoredCall]:
        """Count the calls of a turn and tick golds.

        Args:
            considered: the turn.
            probed: what its probes returned, in order; None where they were not made: what they were to decide is
                not ticked then.

        Raises:
            Unscorable: a probe is ``infrastructure``; nothing was recorded.
        """
        prospects = list(self._prospects(considered, probed))
        chosen = self._profile.assign(prospects, self.ready) if prospects else {}
        worths = {prospect.call: prospect.worth for prospect in prospects}
        scored = []
        for position, (call, result) in enumerate(zip(considered.calls, considered.results, strict=True)):
            gold = chosen.get(position)
            if gold is not None:
                self._solved[gold] = worths[position]
                if self._profile.scrutinise is not None:
                    self._ticked.add(self._key(call))
                    self._told.add((self._golds[gold], gist_of(*self._read(call))))
            scored.append(ScoredCall(call, result, gold, worths.get(position, 1.0)))
        self.calls += len(scored) + (considered.unparsable if self._profile.counts_unparsable else 0)
        if self._context is not None:
            made = [Earlier(one.call.name, one.call.arguments, self._seen(one.result)) for one in scored]
            self._context = self._context.after(made)
            self._remember(made)
        return scored

    def _prospects(self, considered: Considered, probed: Sequence[CallResult] | None) -> Iterator[Prospect]:
        results = iter(probed or ())
        for claimed in considered.claims:
            verdict, golds, worth = claimed.verdict, claimed.golds, claimed.verdict.worth
            if verdict.probes and probed is None:
                continue
            outputs = []
            for probe in verdict.probes:
                result = next(results)
                _check(probe, result)
                outputs += [result.output] if result.status in self._profile.tickable else []
            loose = {gold for gold in golds if any(self._profile.matches(out, self._golds[gold][1]) for out in outputs)}
            if loose:
                golds = golds if verdict.worth_if_probed else tuple(gold for gold in golds if gold not in loose)
                worth = verdict.worth_if_probed or worth
            if golds:
                yield Prospect(claimed.call, golds, worth, claimed.key)

    def _remember(self, calls: Iterable[Earlier]) -> None:
        for earlier in calls:
            call = ParsedCall(earlier.name, earlier.arguments)
            self._made.setdefault((earlier.name, earlier.output), []).append(call)

    @property
    def ready(self) -> frozenset[int]:
        """Open golds whose dependencies are solved; all open ones where nothing is known of dependencies."""
        still_open = [index for index in range(len(self._golds)) if index not in self._solved]
        if self._context is None or not self._context.task.has_trace:
            return frozenset(still_open)
        ready = self._context.task.ready(self.unsolved())
        seen: Counter[str] = Counter()
        found = set()
        for index in still_open:
            tool = self._golds[index][0]
            if (tool, seen[tool]) in ready:
                found.add(index)
            seen[tool] += 1
        return frozenset(found)

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
        solved, golds = sum(self._solved.values()), len(self._golds)
        return TrajectoryMetrics(
            precision=solved / self.calls if self.calls else self._profile.idle_precision,
            recall=solved / golds,
            f1=2 * solved / (self.calls + golds),
        )


def _check(call: ParsedCall, result: CallResult) -> None:
    if result.status is CallStatus.INFRASTRUCTURE:
        raise Unscorable(f"the call of {call.name} could not be run: {result.output}")


def _first_of_each(claims: Sequence[Claimed], results: Sequence[CallResult]) -> Iterator[Claimed]:
    """Of calls that are the same, one: whichever comes first in an order that the turn's order does not change."""
    keys = set()
    for claimed in sorted(claims, key=lambda claimed: (claimed.key, results[claimed.call].output)):
        if claimed.key not in keys:
            keys.add(claimed.key)
            yield claimed
