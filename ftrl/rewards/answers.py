"""What a response without calls earns: the published rule, and a strict one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ftrl.rewards.commitment import Known, share_right
from ftrl.rewards.context import Context
from ftrl.rewards.grounding import Grounds
from ftrl.rewards.matching import normalise
from ftrl.tool_calls import listen

EMPTY, MALFORMED, FINISHED = -0.5, -0.3, 0.5
"""Published rewards of a response without calls: no text; text with a broken call; nothing left to solve."""

CALL_MARKS = ("<tool_call>", "</tool_call>", "<tool_parsed_response>")


@dataclass(frozen=True)
class Answered:
    """A response without calls, and the state in which it was given.

    Attributes:
        content: its text.
        answer: the task's final answer, if known.
        unsolved: the golds still open, ``{tool: [values]}``.
        solve_rate: share of the task's golds that is solved.
        context: what else may be known.
    """

    content: str
    answer: str | None
    unsolved: Mapping[str, Sequence[str]]
    solve_rate: float
    context: Context | None

    @property
    def left(self) -> int:
        """How many golds are still open."""
        return sum(map(len, self.unsolved.values()))


AnswerRule = Callable[[Answered], tuple[float, str]]
"""A response without calls → its reward, and why in one line."""


def answer_reference(given: Answered) -> tuple[float, str]:
    """As published: the answer counts wherever it stands in the text, and any text counts if nothing is left."""
    if not given.content:
        return EMPTY, "an empty response"
    if any(mark in given.content for mark in CALL_MARKS):
        return MALFORMED, "a call was begun but none could be read"
    if given.answer is not None and normalise(given.answer) in normalise(given.content):
        return 1 / (1 + given.left), f"the answer is right, with {given.left} golds left open"
    if given.solve_rate == 1.0:
        return FINISHED, "nothing was left to solve, but the answer is not there"
    return 0.0, "no call and no right answer"


def answer_strict(given: Answered) -> tuple[float, str]:
    """Only the right answer counts, said aloud, at token boundaries, and not as one guess among several."""
    prose = listen(given.content).prose
    if not prose:
        return EMPTY, "nothing was said aloud"
    if given.answer is None:
        return 0.0, "no call, and the right answer is not known"
    share = share_right(prose, given.answer, _known(given))
    if not share:
        return 0.0, "no call and no right answer"
    guessed = "" if share == 1.0 else ", as one guess among several"
    return share / (1 + given.left), f"the answer is right{guessed}, with {given.left} golds left open"


def _known(given: Answered) -> Known:
    if given.context is None:
        return Known((), frozenset())
    task = given.context.task
    grounds = Grounds(given.context, lambda: task.solved_values(given.unsolved))
    return Known(task.question_tokens, grounds.words, task.question)
