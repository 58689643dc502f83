"""How large and how wordy the environments are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StyleName = Literal["compact", "rich"]


@dataclass(frozen=True)
class Style:
    """The strengths of the stages.

    Attributes:
        hops: fewest and most hops of a chain in the multi-hop scenarios.
        branches: fewest and most chains in the parallel scenarios.
        comparisons: share of parallel questions that compare two quantities instead of asking for all
        answers.
        distractors: fewest and most distractor tools, unless the user says otherwise.
        records: entries of a tool's table.
        expansions: most optional parameters that a tool is given beyond the one it needs.
        long_documents: whether documents say more than their first sentence.
    """

    hops: tuple[int, int]
    branches: tuple[int, int]
    comparisons: float
    distractors: tuple[int, int]
    records: int
    expansions: int
    long_documents: bool


STYLES: dict[StyleName, Style] = {
    # For policies of a few million parameters: a prompt of some 200 tokens, a call of some 25.
    "compact": Style((2, 2), (2, 2), 0.35, (2, 4), 6, 0, False),
    "rich": Style((2, 3), (2, 3), 0.35, (4, 7), 12, 3, True),
}
