"""The score of one response, and of a whole trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from ftrl.rewards.answers import MALFORMED, Answered
from ftrl.rewards.context import Context
from ftrl.rewards.profiles import REFERENCE, Counts, Profile, check_metric
from ftrl.rewards.scoreboard import Probing, Scoreboard, ScoredCall
from ftrl.rewards.turn import Turn
from ftrl.sandbox import Call, CallResult, Sandbox
from ftrl.tool_calls import ParsedResponse

END_MARKS = ("<|endoftext|>", "<|im_end|>")


class Tick(BaseModel):
    """Gold ``gold`` (index among the golds open before the response) was ticked by call ``call`` (0-based).

    ``worth`` is 1, or less where the strict profile pays less.
    """

    model_config = ConfigDict(frozen=True)

    gold: int
    call: int
    worth: float = 1.0


class Score(BaseModel):
    """The reward of one response.

    Attributes:
        value: the reward.
        calls: calls that count: those that were parsed and run and, under the strict profile, the unparsable.
        unparsable: blocks that looked like calls and could not be read.
        ticked: golds and the calls that ticked them.
        ready: golds that could have been ticked, as far as that is known; at least 1.
        profile: the profile's version.
        metric: the reward's name.
        why: one line that a person can read.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    calls: int
    unparsable: int
    ticked: tuple[Tick, ...]
    ready: int
    profile: str
    metric: str
    why: str


class TrajectoryScore(BaseModel):
    """Precision, recall and F1 of an episode, and what its calls returned, in order."""

    model_config = ConfigDict(frozen=True)

    precision: float
    recall: float
    f1: float
    outputs: tuple[str, ...]
    profile: str


def parse_response(text: str, profile: Profile = REFERENCE) -> ParsedResponse:
    """A sampled response, end-of-turn marks taken off, taken apart."""
    text = text.strip()
    for mark in END_MARKS:
        text = text.removesuffix(mark).strip()
    return profile.parser(text)


class ResponseScoring:
    """One response, scored under several profiles at once (paper, section 3.2).

    Three steps, so that the calls of many responses can be run together: run ``calls``, hand the results to
    ``probes`` and run those, hand their results to ``scores``.

    Args:
        text: the response.
        unsolved: the golds open before it, ``{tool: [values]}``; may be empty.
        sources: tool name → source.
        answer: the task's final answer, if known.
        solve_rate: share of the task's golds solved before it.
        metric: a key of ``METRICS``.
        profiles: what decides the scores; all calls are run as the first one reads them.
        context: what the strict profile may know beside the response.

    Raises:
        InputError: there is no such metric.
    """

    def __init__(
        self,
        text: str,
        unsolved: Mapping[str, Sequence[str]],
        sources: Mapping[str, str],
        *,
        answer: str | None,
        solve_rate: float = 0.0,
        metric: str = "solve_f1",
        profiles: Sequence[Profile] = (REFERENCE,),
        context: Context | None = None,
    ) -> None:
        check_metric(metric)
        self.profiles = tuple(profiles)
        self._judges = [
            _Judge(parse_response(text, profile), unsolved, answer, solve_rate, metric, profile, context)
            for profile in profiles
        ]
        self._turn = Turn([judge.parsed for judge in self._judges], [judge.board for judge in self._judges], sources)

    @property
    def calls(self) -> list[Call]:
        """The calls to run."""
        return self._turn.calls

    def probes(self, results: Sequence[CallResult]) -> list[Call]:
        """The probes to run; mostly none.

        Raises:
            Unscorable: a call failed through a fault of ours.
        """
        return self._turn.probes(results)

    def scores(self, probed: Sequence[CallResult]) -> list[Score]:
        """The scores, one a profile.

        Raises:
            Unscorable: a probe failed through a fault of ours.
        """
        settled = self._turn.settle(probed)
        return [judge.score(scored) for judge, scored in zip(self._judges, settled, strict=True)]


class _Judge:
    """One response under one profile."""

    def __init__(
        self,
        parsed: ParsedResponse,
        unsolved: Mapping[str, Sequence[str]],
        answer: str | None,
        solve_rate: float,
        metric: str,
        profile: Profile,
        context: Context | None,
    ) -> None:
        self.parsed = parsed
        self.board = Scoreboard.of(unsolved, profile, context)
        self._answered = Answered(parsed.content or "", answer, unsolved, solve_rate, context)
        self._metric = metric
        self._profile = profile
        self._context = context
        self._ready = self.board.ready

    def score(self, scored: Sequence[ScoredCall]) -> Score:
        """The score, once the turn is recorded."""
        calls, unread = self.board.calls, self.parsed.unparsed
        ticked = tuple(
            Tick(gold=one.gold, call=at, worth=one.worth) for at, one in enumerate(scored) if one.gold is not None
        )
        ready = max(1, len(self._ready) if self._knows_order else len(ticked))
        if not calls:
            value, why = self._profile.answer(self._answered)
        elif self._profile.counts_unparsable and unread and not ticked:
            value, why = MALFORMED, f"of {calls} calls none brought back an open gold, and {unread} are no calls"
        else:
            # A hop taken before those that it depends on is solved, but earns nothing: it can only be a guess.
            worth = sum(tick.worth for tick in ticked if tick.gold in self._ready)
            value = self._profile.metrics[self._metric](Counts(worth, calls, ready))
            why = f"{len(ticked)} of {calls} calls brought back an open gold"
            if self._profile.counts_unparsable:
                why += f"; {ready} could be had"
        return Score(
            value=value,
            calls=calls,
            unparsable=unread,
            ticked=ticked,
            ready=ready,
            profile=self._profile.version,
            metric=self._metric,
            why=why,
        )

    @property
    def _knows_order(self) -> bool:
        return self._context is not None and self._context.task.has_trace


def score_parsed(
    parsed: ParsedResponse,
    results: Sequence[CallResult],
    unsolved: Mapping[str, Sequence[str]],
    *,
    answer: str | None,
    solve_rate: float = 0.0,
    metric: str = "solve_f1",
    profile: Profile = REFERENCE,
    context: Context | None = None,
    probing: Probing | None = None,
) -> Score:
    """The reward of a response whose calls have been run.

    Args:
        parsed: the response, as the profile's parser reads it.
        results: what its calls returned, in order.
        unsolved: the golds open before it, ``{tool: [values]}``; may be empty.
        answer: the task's final answer, if known.
        solve_rate: share of the task's golds solved before it.
        metric: a key of ``METRICS``.
        profile: what decides the score.
        context: what the strict profile may know beside the response.
        probing: makes the probes; left out, what would need one is not ticked.

    Raises:
        Unscorable: a call failed through a fault of ours.
        InputError: there is no such metric.
    """
    check_metric(metric)
    judge = _Judge(parsed, unsolved, answer, solve_rate, metric, profile, context)
    return judge.score(judge.board.record(parsed.calls, results, parsed.unparsed, probing))


def score_response(
    response: str,
    unsolved: Mapping[str, Sequence[str]],
    sources: Mapping[str, str],
    sandbox: Sandbox,
    *,
    answer: str | None,
    solve_rate: float = 0.0,
    metric: str = "solve_f1",
    profile: Profile = REFERENCE,
    context: Context | None = None,
) -> Score:
    """Parse one response, run its calls, score it. Arguments as for ``ResponseScoring``.

    Raises:
        Unscorable: a call failed through a fault of ours.
        InputError: there is no such metric.
    """
    scoring = ResponseScoring(
        response,
        unsolved,
        sources,
        answer=answer,
        solve_rate=solve_rate,
        metric=metric,
        profiles=(profile,),
        context=context,
    )
    probes = scoring.probes(sandbox.run(scoring.calls))
    return scoring.scores(sandbox.run(probes))[0]


def score_trajectory(
    turns: Sequence[str],
    unsolved: Mapping[str, Sequence[str]],
    sources: Mapping[str, str],
    sandbox: Sandbox,
    *,
    max_turns: int = 20,
    profile: Profile = REFERENCE,
    context: Context | None = None,
) -> TrajectoryScore:
    """``score_trajectories`` under one profile."""
    return score_trajectories(
        turns, unsolved, sources, sandbox, max_turns=max_turns, profiles=(profile,), context=context
    )[0]


def score_trajectories(
    turns: Sequence[str],
    unsolved: Mapping[str, Sequence[str]],
    sources: Mapping[str, str],
    sandbox: Sandbox,
    *,
    max_turns: int = 20,
    profiles: Sequence[Profile] = (REFERENCE,),
    context: Context | None = None,
) -> list[TrajectoryScore]:
    """Replay an episode's assistant texts and score the whole, under each profile (paper, section 4.1).

    To each profile the episode ends at the first turn in which it reads no call, or after ``max_turns`` turns.

    Raises:
        Unscorable: a call failed through a fault of ours.
    """
    boards = [Scoreboard.of(unsolved, profile, context) for profile in profiles]
    outputs: list[list[str]] = [[] for _ in boards]
    playing = list(range(len(boards)))
    for text in turns[:max_turns]:
        responses = [profiles[at].parser(text) for at in playing]
        turn = Turn(responses, [boards[at] for at in playing], sources)
        settled = turn.settle(sandbox.run(turn.probes(sandbox.run(turn.calls))))
        for at, scored in zip(playing, settled, strict=True):
            outputs[at] += [one.result.output for one in scored]
        playing = [at for at, response in zip(playing, responses, strict=True) if response.calls]
        if not playing:
            break
    return [
        TrajectoryScore(
            precision=metrics.precision,
            recall=metrics.recall,
            f1=metrics.f1,
            outputs=tuple(of_board),
            profile=board.profile.version,
        )
        for board, of_board in zip(boards, outputs, strict=True)
        for metrics in (board.metrics(),)
    ]
