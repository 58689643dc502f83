"""A fictional world that is a function: nothing is stored, every name and fact is computed from a seed.

An entity is a kind and a number. Its name is that number written in syllables, through a fixed permutation,
so that no two entities share a name: not within a world, not between the two splits of a seed, and not
between seeds of the same block of 512. What is true of an entity is a hash of the world's key, the relation
and its number, so that every task of a world tells the same story, however many there are, and nothing of
it was ever written down where a model could have read it.
"""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from ftrl.synthesis.tables.facts import Date, Entity, Fact, Kind, Quantity, Relation
from ftrl.synthesis.tables.relations import KINDS, MOST_KINDS, RELATIONS, RELATIONS_OF

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

    @property
    def relations(self) -> tuple[Relation, ...]:
        """All that can be said; the same in every world."""
        return RELATIONS

    @property
    def provenance(self) -> dict[str, Any]:
        """Nothing: seed and split say it all."""
        return {}

    def relations_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The relations whose subject is of this kind."""
        return RELATIONS_OF[kind]

    def draw(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind: the split has a world to itself."""
        return self.entity(kind, rng.randrange(POPULATION))

    def stranger(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind."""
        return self.entity(kind, rng.randrange(POPULATION))

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
        answer = relation.object
        if isinstance(answer, Quantity):
            number = answer.low + draw % (answer.high - answer.low + 1)
            return Fact(relation, subject, None, str(number), Decimal(number))
        if isinstance(answer, Date):
            first = date(answer.first_year, 1, 1).toordinal()
            days = date(answer.last_year + 1, 1, 1).toordinal() - first
            day = date.fromordinal(first + draw % days)
            return Fact(relation, subject, None, day.isoformat(), Decimal(day.toordinal()))
        assert isinstance(answer, Kind), "the world has no other kinds of answers"
        target = self.entity(answer, draw)
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
