"""Which episodes a report shows: a few dozen of what may be a million, and the same ones every time.

Of two policies on the same tasks: those that gained most, those that lost most, and some that stayed; scenarios take
turns. Of one policy: evenly from the best to the worst.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

Key = tuple[str, int]
"""Task, and number among its episodes."""

PAIRS = 24
"""Pairs that are shown: half of them gained, a quarter lost, a quarter stayed; one kind fills up for another."""


def changed_pairs(
    first: Mapping[Key, float], last: Mapping[Key, float], scenario: Callable[[str], str], most: int = PAIRS
) -> list[tuple[Key, float]]:
    """The pairs to show, with what changed from the first to the last.

    Args:
        first, last: (task, sample) → score.
        scenario: of a task.
        most: how many.
    """
    changes = {key: last[key] - first[key] for key in first if key in last}
    gained = sorted((key for key, by in changes.items() if by > 0), key=lambda key: (-changes[key], key))
    lost = sorted((key for key, by in changes.items() if by < 0), key=lambda key: (changes[key], key))
    # Of those that stayed, the ones with something to see in them: neither all right nor all wrong.
    stayed = sorted((key for key, by in changes.items() if by == 0), key=lambda key: (abs(first[key] - 0.5), key))
    shares = ((gained, most - 2 * (most // 4)), (lost, most // 4), (stayed, most // 4))
    ordered = [(in_turns(keys, scenario), share) for keys, share in shares]
    chosen = [key for keys, share in ordered for key in keys[:share]]
    spare = [key for keys, share in ordered for key in keys[share:]]
    chosen += spare[: most - len(chosen)]
    kinds = {key: place for place, (keys, _) in enumerate(ordered) for key in keys}
    chosen.sort(key=lambda key: kinds[key])
    return [(key, changes[key]) for key in chosen]


def from_best_to_worst(scores: Mapping[Key, float], most: int = PAIRS) -> list[Key]:
    """Episodes of one policy, evenly from the best to the worst."""
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    count = min(len(ordered), most)
    return [ordered[place * len(ordered) // count] for place in range(count)]


def in_turns(keys: Sequence[Key], scenario: Callable[[str], str]) -> list[Key]:
    """The same keys, the scenarios taking turns, each in its own order."""
    lists: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        lists[scenario(key[0])].append(key)
    rounds = zip_longest(*(lists[name] for name in sorted(lists)))
    return [key for one in rounds for key in one if key is not None]
