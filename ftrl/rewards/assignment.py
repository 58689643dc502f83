"""Which call ticks which gold, where a turn's calls could tick several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class Prospect:
    """A call, and the open golds that it may tick.

    Attributes:
        call: its position in the turn.
        golds: indices of golds, ascending.
        worth: of its tick.
        key: equal for calls that are the same; orders calls regardless of where they stand in the turn.
    """

    call: int
    golds: tuple[int, ...]
    worth: float = 1.0
    key: str = ""


def first_come(prospects: Sequence[Prospect], ready: AbstractSet[int]) -> Mapping[int, int]:
    """As published: call by call, each ticks the first of its golds that is still open. Call → gold."""
    taken: dict[int, int] = {}
    for prospect in prospects:
        gold = next((gold for gold in prospect.golds if gold not in taken), None)
        if gold is not None:
            taken[gold] = prospect.call
    return {call: gold for gold, call in taken.items()}


def best_matching(prospects: Sequence[Prospect], ready: AbstractSet[int]) -> Mapping[int, int]:
    """The most that the calls of a turn can tick, whatever their order. Call → gold.

    Golds that are ready come first, calls that are worth more come first; the rest is decided by the calls' keys.
    """
    ordered = sorted(prospects, key=lambda prospect: (-prospect.worth, prospect.key, prospect.call))
    holders: dict[int, Prospect] = {}
    for golds_allowed in (ready, None):
        for prospect in ordered:
            if prospect not in holders.values():
                _place(prospect, holders, ready, golds_allowed is not None, set())
    return {prospect.call: gold for gold, prospect in holders.items()}


def _place(
    prospect: Prospect,
    holders: dict[int, Prospect],
    ready: AbstractSet[int],
    among_ready: bool,
    tried: set[int],
) -> bool:
    """Give a call one of its golds, if need be by moving the call that holds it to another of its own."""
    for gold in prospect.golds:
        if (gold in ready) is not among_ready or gold in tried:
            continue
        tried.add(gold)
        if gold not in holders or _place(holders[gold], holders, ready, among_ready, tried):
            holders[gold] = prospect
            return True
    return False
