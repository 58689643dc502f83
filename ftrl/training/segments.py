"""The turns of an episode → the sequences of tokens that the trainer learns from.

As long as a turn's prompt is all tokens so far and something behind them, it is the same sequence that goes on: what
came between two turns (a tool's output, the template's marks) is in it and is not learnt. Where a template rewrites
what was said - thinking that is dropped from the history - a new sequence begins, since the model saw another text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TurnTokens:
    """One assistant turn.

    Attributes:
        prompt: the tokens in front of it.
        sampled: its own.
        logprobs: natural logarithms, one a sampled token.
    """

    prompt: list[int]
    sampled: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass
class Segment:
    """A sequence that the model saw and said as it stands.

    Attributes:
        prompt: the tokens in front of its first turn.
        response: all tokens behind it.
        mask: one a token of the response: 1 where the model said it, 0 where it was told.
        logprobs: one a token of the response; 0 where it was told.
        turns: one a token of the response: the number of its turn in the episode, -1 where it was told.
    """

    prompt: list[int]
    response: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)

    def goes_on_in(self, prompt: list[int]) -> bool:
        """Whether the prompt is this sequence and something behind it."""
        so_far = len(self.prompt) + len(self.response)
        return prompt[: len(self.prompt)] == self.prompt and prompt[len(self.prompt) : so_far] == self.response

    def add(self, number: int, turn: TurnTokens) -> None:
        """Append what was told since, and the turn."""
        told = turn.prompt[len(self.prompt) + len(self.response) :]
        self.response += [*told, *turn.sampled]
        self.mask += [0] * len(told) + [1] * len(turn.sampled)
        self.logprobs += [0.0] * len(told) + list(turn.logprobs)
        self.turns += [-1] * len(told) + [number] * len(turn.sampled)


def segments(turns: Iterable[TurnTokens]) -> list[Segment]:
    """The sequences of an episode, in order; one, for a template that only ever appends."""
    found: list[Segment] = []
    for number, turn in enumerate(turns):
        if not found or not found[-1].goes_on_in(turn.prompt):
            found.append(Segment(prompt=turn.prompt))
        found[-1].add(number, turn)
    return found


def laid_on_tokens(rewards: Sequence[float], of: Sequence[Segment]) -> list[list[float]]:
    """The turns' rewards on the tokens of the sequences: what is ahead of a token in its sequence is all that comes.

    Args:
        rewards: one a turn of the episode.
        of: its sequences.

    Returns:
        A list a sequence, one a token of the response. A turn's reward lies on its last token, and on the last token of
        a sequence also that of all turns of later sequences, since no estimator looks from one into the next.
    """
    laid: list[list[float]] = []
    for segment in reversed(of):
        later = sum(laid[0]) if laid else 0.0
        last = {turn: at for at, turn in enumerate(segment.turns) if turn >= 0}
        scores = [0.0] * len(segment.turns)
        for turn, at in last.items():
            scores[at] = rewards[turn]
        scores[-1] += later
        laid.insert(0, scores)
    return laid
