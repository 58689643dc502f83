"""A fictional world that is a function: nothing is stored, every name and fact is computed from a seed.

An entity is a kind and a number. Its name is that number written in syllables, through a fixed permutation,
so that no two entities share a name: not within a world, not between the two splits of a seed, and not
between seeds of the same block of 512. What is true of an entity is a hash of the world's key, the relation
and its number, so that every task of a world tells the same story, however many there are, and nothing of
it was ever written down where a model could have read it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ftrl.synthesis.relations import KINDS, MOST_KINDS, Kind, Quantity, Relation

SPLITS = ("train", "test")

POPULATION = 10_000
"""Entities of each kind in a world."""

SEED_BLOCK = 512
"""Seeds with the same ``seed // SEED_BLOCK`` share no name."""

# Names are consonant-vowel four times over, and perhaps one more letter: short, pronounceable, and made of
# eighty pieces that a small tokenizer learns whole. Every name is one number below _NAMES, and can be read
# back in one way.
_ONSETS = "bdfghjklmnprstvz"
_NUCLEI = "aeiou"
_CODAS = ("", "n", "r", "l")
_SYLLABLES = 4
_NAMES = (len(_ONSETS) * len(_NUCLEI)) ** _SYLLABLES * len(_CODAS)
_HALF_BITS = 14


@dataclass(frozen=True)
class Entity:
    """One inhabitant of a world."""

    kind: Kind
    number: int
    name: str


@dataclass(frozen=True)
class Fact:
    """What one relation says of one entity.

    Attributes:
        target: the entity that it leads to; null where the value is a quantity.
        value: the answer as text: a name, or a whole number in digits without separators.
    """

    relation: Relation
    subject: Entity
    target: Entity | None
    value: str


class World:
    """The world of a seed and a split.

    Args:
        seed: any number from 0 on.
        split: ``train`` or ``test``; the two worlds of a seed share neither names nor facts.
    """

    def __init__(self, seed: int, split: str) -> None:
        self.seed = seed
        self.split = split
        self._key = f"{seed}:{split}"

    def entity(self, kind: Kind, number: int) -> Entity:
        """The entity of that kind and number (taken modulo ``POPULATION``)."""
        number %= POPULATION
        code = self.seed % SEED_BLOCK
        for digit, base in (
            (number, POPULATION),
            (KINDS.index(kind), MOST_KINDS),
            (SPLITS.index(self.split), len(SPLITS)),
        ):
            code = code * base + digit
        syllables = _syllables(_permute(code, self.seed // SEED_BLOCK))
        return Entity(kind, number, kind.dress(syllables))

    def fact(self, relation: Relation, subject: Entity) -> Fact:
        """What is true of ``subject``, which must be of the relation's kind."""
        draw = _hash(f"{self._key}:{relation.key}:{subject.number}")
        if isinstance(relation.object, Quantity):
            quantity = relation.object
            return Fact(relation, subject, None, str(quantity.low + draw % (quantity.high - quantity.low + 1)))
        target = self.entity(relation.object, draw)
        return Fact(relation, subject, target, target.name)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _permute(code: int, block: int) -> int:
    # A Feistel network is a bijection whatever its round function; walking on until the number is a name's
    # keeps it one on the names. So neighbours in the numbering look nothing alike and both splits use the
    # same syllables.
    while True:
        left, right = code >> _HALF_BITS, code & (2**_HALF_BITS - 1)
        for round_ in range(4):
            left, right = right, left ^ (_hash(f"name:{block}:{round_}:{right}") & (2**_HALF_BITS - 1))
        code = left << _HALF_BITS | right
        if code < _NAMES:
            return code


def _syllables(code: int) -> tuple[str, ...]:
    code, coda = divmod(code, len(_CODAS))
    syllables = []
    for _ in range(_SYLLABLES):
        code, nucleus = divmod(code, len(_NUCLEI))
        code, onset = divmod(code, len(_ONSETS))
        syllables.append(_ONSETS[onset] + _NUCLEI[nucleus])
    syllables[-1] += _CODAS[coda]
    return tuple(syllables)
