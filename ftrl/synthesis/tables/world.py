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
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from ftrl.synthesis.tables.facts import Clock, Date, Entity, Fact, Kind, Moment, Quantity, Relation, Row, Rows
from ftrl.synthesis.tables.relations import KINDS, MOST_KINDS, RELATIONS
from ftrl.synthesis.tables.wide import (
    MEASURES,
    MOST_WIDE_KINDS,
    OFFSET,
    WIDE_KINDS,
    WIDE_QUERIES,
    WIDE_RELATIONS,
)

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
_PIECES = len(_ONSETS) * len(_NUCLEI)


@dataclass(frozen=True)
class _Names:
    """A family of names: all that can be made of so many syllables."""

    syllables: int
    half_bits: int

    @property
    def count(self) -> int:
        return int(_PIECES**self.syllables) * len(_CODAS)


_SHORT = _Names(4, 14)
_LONG = _Names(5, 17)
"""The kinds of the wide world have a syllable more, so that none of their names is one of the other kinds."""


class World:
    """The world of a seed and a split.

    Args:
        seed: any number from 0 on.
        split: ``train`` or ``test``; the two worlds of a seed share neither names nor facts.
        wide: whether it has all kinds, relations and queries, or the sixteen kinds of the small world.
    """

    def __init__(self, seed: int, split: str, wide: bool = False) -> None:
        self.seed = seed
        self.split = split
        self._key = f"{seed}:{split}"
        self._relations = WIDE_RELATIONS if wide else RELATIONS
        self._queries = WIDE_QUERIES if wide else ()
        self._of_kind = _by_kind(self._relations)
        self._queries_of_kind = _by_kind(self._queries)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """All that can be looked up; the same in every world of that width."""
        return self._relations

    @property
    def queries(self) -> tuple[Relation, ...]:
        """All that takes more than looking up; nothing in the small world."""
        return self._queries

    @property
    def provenance(self) -> dict[str, Any]:
        """Nothing: seed and split say it all."""
        return {}

    def relations_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The relations whose subject is of this kind."""
        return self._of_kind.get(kind, ())

    def queries_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The queries whose subject is of this kind."""
        return self._queries_of_kind.get(kind, ())

    def rows(self, rows: Rows, subject: Entity) -> tuple[Row, ...]:
        """Five to eight rows; all figures and all labels are different."""
        made: dict[str, Row] = {}
        count = 5 + _hash(f"{self._key}:{rows.key}:{subject.number}") % 4
        for number in range(2 * count):
            draw = _hash(f"{self._key}:{rows.key}:{subject.number}:{number}")
            row = self._row(rows, draw)
            if row.rank not in {other.rank for other in made.values()} and len(made) < count:
                made.setdefault(row.label or row.value, row)
        return tuple(made.values())

    def _row(self, rows: Rows, draw: int) -> Row:
        if isinstance(rows.label, Kind):
            entity = self.entity(rows.label, draw)
            figure = self.fact(MEASURES[rows.key], entity)
            assert figure.rank is not None
            return Row(entity.name, entity, figure.value, figure.rank)
        label = None if rows.label is None else _day(rows.label, draw).isoformat()
        if isinstance(rows.value, Clock):
            minutes = 5 * 60 + draw % (18 * 60)
            return Row(label, None, f"{minutes // 60:02}:{minutes % 60:02}", Decimal(minutes))
        assert isinstance(rows.value, Quantity)
        figure_ = rows.value.low + (draw >> 32) % (rows.value.high - rows.value.low + 1)
        return Row(label, None, str(figure_), Decimal(figure_))

    def draw(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind: the split has a world to itself."""
        return self.entity(kind, rng.randrange(POPULATION))

    def stranger(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind."""
        return self.entity(kind, rng.randrange(POPULATION))

    def entity(self, kind: Kind, number: int) -> Entity:
        """The entity of that kind and number (taken modulo ``POPULATION``)."""
        number %= POPULATION
        wide = kind in WIDE_KINDS
        place = (WIDE_KINDS.index(kind), MOST_WIDE_KINDS) if wide else (KINDS.index(kind), MOST_KINDS)
        code = self.seed % SEED_BLOCK
        for digit, base in ((number, POPULATION), place, (SPLITS.index(self.split), len(SPLITS))):
            code = code * base + digit
        names = _LONG if wide else _SHORT
        syllables = _syllables(_permute(code, self.seed // SEED_BLOCK, names), names)
        return Entity(kind, number, kind.dress(syllables))

    def fact(self, relation: Relation, subject: Entity) -> Fact:
        """What is true of ``subject``, which must be of the relation's kind."""
        draw = _hash(f"{self._key}:{relation.key}:{subject.number}")
        answer = relation.object
        if isinstance(answer, Quantity):
            number = answer.low + draw % (answer.high - answer.low + 1)
            if relation == OFFSET:
                number *= 15
            return Fact(relation, subject, None, str(number), Decimal(number))
        if isinstance(answer, Date):
            day = _day(answer, draw)
            return Fact(relation, subject, None, day.isoformat(), Decimal(day.toordinal()))
        if isinstance(answer, Moment):
            day = _day(Date(answer.first_year, answer.last_year), draw)
            minutes = 15 * ((draw >> 40) % 96)
            return Fact(relation, subject, None, f"{day.isoformat()} {minutes // 60:02}:{minutes % 60:02}")
        assert isinstance(answer, Kind), "the world has no other kinds of answers"
        target = self.entity(answer, draw)
        return Fact(relation, subject, target, target.name)


def _by_kind(relations: tuple[Relation, ...]) -> dict[Kind, tuple[Relation, ...]]:
    kinds = dict.fromkeys(relation.subject for relation in relations)
    return {kind: tuple(relation for relation in relations if relation.subject == kind) for kind in kinds}


def _day(between: Date, draw: int) -> date:
    first = date(between.first_year, 1, 1).toordinal()
    days = date(between.last_year + 1, 1, 1).toordinal() - first
    return date.fromordinal(first + draw % days)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _permute(code: int, block: int, names: _Names) -> int:
    # A Feistel network is a bijection whatever its round function; walking on until the number is a name's
    # keeps it one on the names. So neighbours in the numbering look nothing alike and both splits use the
    # same syllables.
    bits = names.half_bits
    while True:
        left, right = code >> bits, code & (2**bits - 1)
        for round_ in range(4):
            left, right = right, left ^ (_hash(f"name:{block}:{round_}:{right}") & (2**bits - 1))
        code = left << bits | right
        if code < names.count:
            return code


def _syllables(code: int, names: _Names) -> tuple[str, ...]:
    code, coda = divmod(code, len(_CODAS))
    syllables = []
    for _ in range(names.syllables):
        code, nucleus = divmod(code, len(_NUCLEI))
        code, onset = divmod(code, len(_ONSETS))
        syllables.append(_ONSETS[onset] + _NUCLEI[nucleus])
    syllables[-1] += _CODAS[coda]
    return tuple(syllables)
