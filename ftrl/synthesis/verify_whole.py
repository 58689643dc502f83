"""Acceptance rules about the whole environment: what a perfect policy earns in it, and that it takes all of its calls.

The golden trajectory is scored turn by turn as the episode loop does it, under the ``strict`` profile, probes and all;
the turns of a batch of candidates go to the sandbox together. That less would not do needs no trying: each golden
call is the only one that brings its gold (``verify_calls``), and each gold has its call (here).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftrl.environments.golden import golden_turns
from ftrl.environments.schema import Environment
from ftrl.rewards import Context, Scoreboard, Turn, profile_named
from ftrl.sandbox import Call, CallResult
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.finding import Finding

Run = Callable[[list[Call]], list[CallResult]]
"""Makes calls; results come in their order, and none is a failure of ours."""


def golds_broken(environment: Environment) -> Finding | None:
    """Whether the golds are the answers of the sub-questions, one for each, from the tool of its call."""
    golds = sorted((gold.tool, gold.value, gold.sub_question or "") for gold in environment.golds)
    steps = sorted((step.tool, step.answer, step.id) for step in environment.trace)
    if golds != steps:
        told = "; ".join(f"{tool}: {value}" for tool, value, _ in golds)
        return (
            "golds_do_not_fit_trace",
            f"the golds must be the answers of the sub-questions, one each; they are {told}",
        )
    return None


def trajectories_broken(candidates: Sequence[Candidate], run: Run) -> list[Finding | None]:
    """For each candidate, why its golden trajectory does not earn everything, if it does not."""
    games = [_Game(candidate) for candidate in candidates]
    while playing := [game for game in games if game.turns]:
        turns = [game.next() for game in playing]
        results = iter(run([call for turn in turns for call in turn.calls]))
        probes = [turn.probes([next(results) for _ in turn.calls]) for turn in turns]
        probed = iter(run([call for few in probes for call in few]))
        for turn, few in zip(turns, probes, strict=True):
            turn.settle([next(probed) for _ in few])
    return [game.verdict() for game in games]


class _Game:
    """A golden trajectory on its way."""

    def __init__(self, candidate: Candidate) -> None:
        environment = candidate.environment
        self._profile = profile_named("strict")
        self._sources = candidate.sources
        golds = [(gold.tool, gold.value) for gold in environment.golds]
        self._board = Scoreboard(golds, self._profile, Context.of(environment))
        self.turns = golden_turns(environment)[:-1]

    def next(self) -> Turn:
        text, *self.turns = self.turns
        return Turn([self._profile.parser(text)], [self._board], self._sources)

    def verdict(self) -> Finding | None:
        metrics = self._board.metrics()
        if metrics.f1 == 1.0:
            return None
        return (
            "golden_trajectory_scores_less",
            f"the golden calls, made in their order, have a precision of {metrics.precision:.2f} and a recall of "
            f"{metrics.recall:.2f} under the strict profile; both must be 1",
        )
