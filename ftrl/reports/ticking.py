"""Why a call ticked a gold or did not: a stored episode is put on the scoreboards once more, call by call.

Nothing is judged here: what ticks, and for how much, is the scoreboards' word. Here it is put into sentences. What the
strict profile settles by a second look at a tool is settled the same way, where tools may be run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ftrl.environments import Environment
from ftrl.reports.episode_data import CallVerdict, TurnReward
from ftrl.rewards import (
    Context,
    Earlier,
    Profile,
    Scoreboard,
    ScoredCall,
    TrajectoryMetrics,
    profile_named,
    profiles_from,
    score_parsed,
)
from ftrl.rewards.arguments import canonical, read_arguments
from ftrl.rewards.echo import is_echo
from ftrl.rewards.scoreboard import Considered
from ftrl.rewards.turn import sandbox_calls
from ftrl.rollouts import EpisodeSettings, TrajectoryCall
from ftrl.sandbox import CallResult, Sandbox
from ftrl.tool_calls import ParsedCall, ParsedResponse

UNSETTLED = "not settled: a second look at the tool is needed, and tools were not run for this report"


@dataclass(frozen=True)
class JudgedTurn:
    """A turn on all boards: verdicts of each call, one a profile; and what the turn would earn in training."""

    verdicts: tuple[tuple[CallVerdict, ...], ...]
    rewards: tuple[TurnReward, ...]


class Judging:
    """One episode on the scoreboards of all profiles, turn by turn.

    Args:
        environment: its task.
        sources: tool → source.
        settings: of the episode; its profile comes first.
        metric: the training reward that is told for each turn.
        sandbox: where second looks are made; none: what they would settle ticks nothing, and says so.
    """

    def __init__(
        self,
        environment: Environment,
        sources: dict[str, str],
        settings: EpisodeSettings,
        metric: str,
        sandbox: Sandbox | None,
    ) -> None:
        self._environment = environment
        self._sources = sources
        self._metric = metric
        self._second_looks = None if sandbox is None else partial(self._look_again, sandbox)
        golds = [(gold.tool, gold.value) for gold in environment.golds]
        self._context = Context.of(environment, shown=settings.max_output_chars)
        profiles = profiles_from(profile_named(settings.profile))
        self._boards = [Scoreboard(golds, profile, self._context) for profile in profiles]
        self._made: list[ParsedCall] = []

    def turn(self, text: str, made: Sequence[TrajectoryCall]) -> JudgedTurn:
        """The next turn: what the assistant said, and its calls.

        Raises:
            Unscorable: a second look failed through a fault of ours.
        """
        calls = tuple(ParsedCall(call.name, call.arguments) for call in made)
        results = [CallResult(call.output, call.call_status, call.seconds) for call in made]
        response = ParsedResponse(text, calls)
        considered = [board.consider(calls, results) for board in self._boards]
        rewards = tuple(map(partial(self._reward, response), self._boards, considered))
        columns = list(map(self._verdicts, self._boards, considered))
        self._made += calls
        told = [Earlier(call.name, call.arguments, result.output) for call, result in zip(calls, results, strict=True)]
        self._context = self._context.after(told)
        return JudgedTurn(tuple(zip(*columns, strict=True)), rewards)

    def metrics(self) -> dict[str, TrajectoryMetrics]:
        """Version of each profile → the scores of all turns so far."""
        return {board.profile.version: board.metrics() for board in self._boards}

    def _reward(self, response: ParsedResponse, board: Scoreboard, considered: Considered) -> TurnReward:
        score = score_parsed(
            response,
            considered.results,
            board.unsolved(),
            answer=self._environment.answer,
            solve_rate=board.solve_rate,
            metric=self._metric,
            profile=board.profile,
            context=self._context,
            probing=self._second_looks,
        )
        unsettled = "" if self._second_looks or not considered.probes else f"; {UNSETTLED}"
        return TurnReward(profile=board.profile.name, value=score.value, why=score.why + unsettled)

    def _look_again(self, sandbox: Sandbox, probes: Sequence[ParsedCall]) -> list[CallResult]:
        return sandbox.run(sandbox_calls(probes, self._sources)) if probes else []

    def _verdicts(self, board: Scoreboard, considered: Considered) -> list[CallVerdict]:
        solved = board.solved
        probed = None if self._second_looks is None else self._second_looks(considered.probes)
        scored = board.settle(considered, probed)
        return [self._verdict(board, at, one, solved, considered) for at, one in enumerate(scored)]

    def _verdict(
        self,
        board: Scoreboard,
        at: int,
        scored: ScoredCall,
        solved: frozenset[int],
        considered: Considered,
    ) -> CallVerdict:
        profile = board.profile
        if scored.gold is not None:
            gold = self._environment.golds[scored.gold]
            why = f"ticked gold {scored.gold + 1} of {len(self._environment.golds)}: {gold.value}"
            if scored.worth < 1:
                why += f"; worth {scored.worth:.2g}, since its arguments are not what the tool's document asks for"
            return CallVerdict(profile=profile.name, gold=scored.gold, worth=scored.worth, why=why)
        why = next(self._why_not(profile, at, scored, solved, considered))
        return CallVerdict(profile=profile.name, gold=None, worth=0.0, why=why)

    def _why_not(
        self,
        profile: Profile,
        at: int,
        scored: ScoredCall,
        solved: frozenset[int],
        considered: Considered,
    ) -> Iterator[str]:
        """Reasons, the one that comes first in the scoring first."""
        call, output = scored.call, scored.result.output
        golds = self._environment.golds
        of_tool = [index for index, gold in enumerate(golds) if gold.tool == call.name]
        still_open = [index for index in of_tool if index not in solved]
        values = [golds[index].value for index in still_open if profile.matches(output, golds[index].value)]
        if call.name not in self._environment.implementations:
            yield "there is no such tool"
        if not of_tool:
            yield "a distractor: no gold belongs to this tool"
        if not still_open:
            yield "the golds of this tool had been ticked before"
        if scored.result.status not in profile.tickable:
            yield f"the call ended as {scored.result.status.value.replace('_', ' ')}, and such an output ticks nothing"
        if not values:
            asked = ", ".join(golds[index].value for index in still_open)
            yield f"the output does not hold what was asked of this tool: {asked}"
        for claim in considered.claims:
            if claim.call == at and not claim.verdict.probes:
                yield "another call of this turn ticked the gold"
            elif claim.call == at and self._second_looks is None:
                yield UNSETTLED
            elif claim.call == at:
                yield "nonsense in place of its arguments brings the gold back as well: they earned nothing"
        yield from self._why_no_claim(call, output, values)

    def _why_no_claim(self, call: ParsedCall, output: str, values: Sequence[str]) -> Iterator[str]:
        """Why the strict profile does not even consider a call whose output holds a gold."""
        arguments = read_arguments(call.arguments)
        if all(is_echo(output, value, arguments) for value in values):
            yield "the output only repeats what the arguments said"
        same = [canonical(read_arguments(one.arguments)) for one in self._made if one.name == call.name]
        if canonical(arguments) in same:
            yield "the same call was made before"
        yield "the same call stands in this turn already, or its arguments say nothing that leads to the gold"
