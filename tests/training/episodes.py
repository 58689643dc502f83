"""Episodes as the trainer gets them, made up of nothing but what their turns earned."""

from __future__ import annotations

from collections.abc import Sequence

from ftrl.training.segments import Segment, TurnTokens, laid_on_tokens, segments

Rows = list[tuple[Segment, list[float]]]
"""The sequences of an episode, each with the rewards on its tokens."""


def episode(*rewards: float) -> Rows:
    """An episode whose turns earned this: two tokens each, and one that was told between them."""
    return torn(rewards)


def torn(*parts: Sequence[float]) -> Rows:
    """An episode of several sequences, since its history was rewritten; a part has the rewards of its turns."""
    turns = []
    for number, part in enumerate(parts):
        so_far = [10 + number]
        for _ in part:
            turns.append(TurnTokens(list(so_far), (2, 3), (-1.0, -1.0)))
            so_far += [2, 3, 4]
    found = segments(turns)
    assert len(found) == len(parts)
    return list(zip(found, laid_on_tokens([reward for part in parts for reward in part], found), strict=True))
