"""How large and how wordy the environments are: the dial that difficulty is turned by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StyleName = Literal["compact", "rich"]

Span = tuple[int, int]
"""Fewest and most."""


@dataclass(frozen=True)
class Style:
    """The strengths of the stages. Shares are between 0 and 1.

    Attributes:
        hops: of a chain, in the multi-hop scenarios.
        branches: chains, in the parallel scenarios.
        comparisons: share of parallel questions that compare two figures instead of asking for all answers.
        queries: share of chains that filter, add up, convert or ask for a time, where the facts allow it.
        distractors: tools that answer nothing of the question.
        near_misses: share of the distractors that are close to a golden tool.
        close_calls: whether near misses are also tools of other kinds, by what they are called and tell.
        records: entries of a tool's table.
        functional: share of tools that serve more than what is asked (functional generalisation).
        expansions: most parameters that a tool is given beyond those it needs (parameter expansion).
        required: share of these that have to be given.
        types: share of tools that take their subject or bound as a list or object (type generalisation).
        long_documents: whether documents say more than their first sentence.
        wide: whether the fictional world has all its kinds, and questions all their wordings.
        shapes: whether code comes in several shapes.
    """

    hops: Span
    branches: Span
    comparisons: float
    queries: float
    distractors: Span
    near_misses: float
    close_calls: bool
    records: int
    functional: float
    expansions: int
    required: float
    types: float
    long_documents: bool
    wide: bool
    shapes: bool


STYLES: dict[StyleName, Style] = {
    # For policies of a few million parameters: a prompt of some 200 tokens, a call of some 25.
    "compact": Style(
        hops=(2, 2),
        branches=(2, 2),
        comparisons=0.35,
        queries=0.0,
        distractors=(2, 4),
        near_misses=0.5,
        close_calls=False,
        records=6,
        functional=0.0,
        expansions=0,
        required=0.0,
        types=0.0,
        long_documents=False,
        wide=False,
        shapes=False,
    ),
    "rich": Style(
        hops=(2, 5),
        branches=(2, 5),
        comparisons=0.35,
        queries=0.5,
        distractors=(4, 9),
        near_misses=0.6,
        close_calls=True,
        records=12,
        functional=0.35,
        expansions=10,
        required=0.25,
        types=0.3,
        long_documents=True,
        wide=True,
        shapes=True,
    ),
}
