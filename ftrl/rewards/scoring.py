"""The score of one response, and of a whole trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from ftrl.rewards.matching import normalise
from ftrl.rewards.profiles import REFERENCE, Profile, metric_named
from ftrl.rewards.scoreboard import Scoreboard
from ftrl.sandbox import Call, CallResult, Sandbox
from ftrl.tool_calls import ParsedCall, ParsedResponse

EMPTY, MALFORMED, FINISHED = -0.5, -0.3, 0.5
"""Published rewards of a response without calls: no text; text with a broken call; nothing left to solve."""

CALL_MARKS = ("<tool_call>", "</tool_call>", "<tool_parsed_response>")
END_MARKS = ("<|endoftext|>", "<|im_end|>")


class Tick(BaseModel):
    """Gold ``gold`` (index among the golds open before the response) was ticked by call ``call`` (0-based)."""

    model_config = ConfigDict(frozen=True)

    gold: int
    call: int


class Score(BaseModel):
    """The reward of one response.

    Attributes:
        value: the reward.
        calls: calls that were parsed, and run.
        unparsable: blocks that looked like calls and could not be read.
        ticked: golds and the calls that ticked them.
        profile: the profile's version.
        metric: the reward's name.
        why: one line that a person can read.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    calls: int
    unparsable: int
    ticked: tuple[Tick, ...]
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


def sandbox_calls(calls: Sequence[ParsedCall], sources: Mapping[str, str]) -> list[Call]:
    """What the sandbox has to run for a turn; a tool that does not exist has no source."""
    return [Call(call.name, call.arguments, sources.get(call.name)) for call in calls]


def parse_response(text: str, profile: Profile = REFERENCE) -> ParsedResponse:
    """A sampled response, end-of-turn marks taken off, taken apart."""
    text = text.strip()
    for mark in END_MARKS:
        text = text.removesuffix(mark).strip()
    return profile.parser(text)


def score_parsed(
    parsed: ParsedResponse,
    results: Sequence[CallResult],
    unsolved: Mapping[str, Sequence[str]],
    *,
    answer: str | None,
    solve_rate: float = 0.0,
    metric: str = "solve_f1",
    profile: Profile = REFERENCE,
) -> Score:
    """The reward of a response whose calls have been run (paper, section 3.2).

    Args:
        parsed: the response.
        results: what its calls returned, in order.
        unsolved: the golds open before it, ``{tool: [values]}``; may be empty.
        answer: the task's final answer, if known.
        solve_rate: share of the task's golds solved before it.
        metric: a key of ``METRICS``.
        profile: what decides the score.

    Raises:
        Unscorable: a call failed through a fault of ours.
        InputError: there is no such metric.
    """
    reward = metric_named(metric)
    if not parsed.calls:
        value, why = _without_calls(parsed.content or "", sum(map(len, unsolved.values())), answer, solve_rate)
        ticked: tuple[Tick, ...] = ()
    else:
        scored = Scoreboard.of(unsolved, profile).record(parsed.calls, results)
        ticked = tuple(Tick(gold=item.gold, call=i) for i, item in enumerate(scored) if item.gold is not None)
        value = reward(len(ticked), len(parsed.calls))
        why = f"{len(ticked)} of {len(parsed.calls)} calls brought back an open gold"
    return Score(
        value=value,
        calls=len(parsed.calls),
        unparsable=parsed.unparsed,
        ticked=ticked,
        profile=profile.version,
        metric=metric,
        why=why,
    )


def _without_calls(content: str, unsolved: int, answer: str | None, solve_rate: float) -> tuple[float, str]:
    if not content:
        return EMPTY, "an empty response"
    if any(mark in content for mark in CALL_MARKS):
        return MALFORMED, "a call was begun but none could be read"
    if answer is not None and normalise(answer) in normalise(content):
        return 1 / (1 + unsolved), f"the answer is right, with {unsolved} golds left open"
    if solve_rate == 1.0:
        return FINISHED, "nothing was left to solve, but the answer is not there"
    return 0.0, "no call and no right answer"


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
) -> Score:
    """Parse one response, run its calls, score it. Arguments as for ``score_parsed``; ``sources`` by tool name."""
    parsed = parse_response(response, profile)
    results = sandbox.run(sandbox_calls(parsed.calls, sources))
    return score_parsed(parsed, results, unsolved, answer=answer, solve_rate=solve_rate, metric=metric, profile=profile)


def score_trajectory(
    turns: Sequence[str],
    unsolved: Mapping[str, Sequence[str]],
    sources: Mapping[str, str],
    sandbox: Sandbox,
    *,
    max_turns: int = 20,
    profile: Profile = REFERENCE,
) -> TrajectoryScore:
    """Replay an episode's assistant texts and score the whole (paper, section 4.1).

    The episode ends at the first turn without calls, or after ``max_turns`` turns.

    Raises:
        Unscorable: a call failed through a fault of ours.
    """
    board = Scoreboard.of(unsolved, profile)
    outputs: list[str] = []
    for text in turns[:max_turns]:
        parsed = profile.parser(text)
        if not parsed.calls:
            break
        results = sandbox.run(sandbox_calls(parsed.calls, sources))
        board.record(parsed.calls, results)
        outputs += [result.output for result in results]
    metrics = board.metrics()
    return TrajectoryScore(precision=metrics.precision, recall=metrics.recall, f1=metrics.f1, outputs=tuple(outputs))
