"""What a source of facts is: kinds of things, relations between them, and somebody who knows what is true.

The stages ask a ``Facts`` and nothing else. There are two: the seeded fictional ``World``, and the user's own
tables (``tabular.TableFacts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any, Protocol


@dataclass(frozen=True)
class Kind:
    """A kind of entity.

    Attributes:
        noun: what a member is called in a sentence.
        parameters: names that a tool may give to an argument that takes a member.
        words: how many words a made-up name has, one or two; 0 where names are not made up.
        suffix: a word that every made-up name of the kind ends with.
        mentions: how a question may name a member, with ``{}`` for the name.
        person: whether members are asked for with "who".
        called: what their names are: name, title, number, e-mail …
        numbered: whether members have whole numbers for names.
        keys: what a member is told by, where it takes several things together: an order and a product. A tool takes
            each by a parameter of its own.
    """

    noun: str
    parameters: tuple[str, ...]
    words: int = 1
    suffix: str = ""
    mentions: tuple[str, ...] = ("{}",)
    person: bool = False
    called: str = "name"
    numbered: bool = False
    keys: tuple[Kind, ...] = ()

    def dress(self, syllables: tuple[str, ...]) -> str:
        """The name that these syllables make for a member of this kind."""
        parts = ["".join(syllables[:2]), "".join(syllables[2:])] if self.words == 2 else ["".join(syllables)]
        return " ".join([*(part.capitalize() for part in parts), *([self.suffix] if self.suffix else [])])


@dataclass(frozen=True)
class Quantity:
    """A number; in the fictional world a whole one between two bounds, both included.

    Attributes:
        unit: what it counts, in a document; may be empty.
        more, less: the words of a comparison.
        whole: whether it is always a whole number.
        units: other units that it may be asked for in, each with what a number has to be multiplied by.
        each: what stands before the subject when it is asked for several pieces: ``pieces of``; else empty.
    """

    low: int = 0
    high: int = 0
    unit: str = ""
    more: str = "larger"
    less: str = "smaller"
    whole: bool = True
    units: tuple[tuple[str, float], ...] = ()
    each: str = ""


@dataclass(frozen=True)
class Date:
    """A day, written ``1874-03-02``; in the fictional world of a year between two bounds, both included."""

    first_year: int = 0
    last_year: int = 0
    more: str = "later"
    less: str = "earlier"


@dataclass(frozen=True)
class Moment:
    """A day with a time, written ``1874-03-02 19:40``; in the fictional world of a year between two bounds."""

    first_year: int = 0
    last_year: int = 0
    more: str = "later"
    less: str = "earlier"


@dataclass(frozen=True)
class Clock:
    """A time of day, written ``19:40``."""

    more: str = "later"
    less: str = "earlier"


@dataclass(frozen=True)
class Text:
    """Words that lead nowhere: an address, a colour, a title."""


@dataclass(frozen=True)
class Rows:
    """What belongs to an entity, a figure each: the products of a company and their prices.

    Attributes:
        key: its own name.
        noun, plural: what one, and several of them, are called.
        measure: what the figure is called.
        value: what the figure is.
        label: what tells one from another: a kind whose members they are, a day, or nothing.
    """

    key: str
    noun: str
    plural: str
    measure: str
    value: Quantity | Date | Clock
    label: Kind | Date | None


class Take(str, Enum):
    """What a query makes of rows, or of two values."""

    NEXT = "next"
    """The row with the smallest figure above a bound."""
    LAST = "last"
    """The row with the largest figure below a bound."""
    TOTAL = "total"
    """The sum of the figures above a bound."""
    WHICH = "which"
    """The rows with a figure above a bound: a few."""
    TIME = "time"
    """When something starts by the clocks of a time zone."""
    DAYS = "days"
    """How many days lie between two dates."""

    @property
    def lists(self) -> bool:
        """Whether the answer is several."""
        return self is Take.WHICH


@dataclass(frozen=True)
class Query:
    """What makes a relation more than a look-up: it takes something beside its subject.

    Attributes:
        take: what is done.
        rows: of what; null where it is done with two values.
        told: what it gives, in a document, with ``{}`` for the subject.
        takes: names that a tool may give to the argument beside the subject.
        asks: what that argument is, in a document.
        parts: the relations of which a local time is made: of the zone to its offset, of something to its start.
    """

    take: Take
    rows: Rows | None
    told: str
    takes: tuple[str, ...]
    asks: str
    parts: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class Relation:
    """A function from the entities of one kind to the entities of another, or to a value.

    Attributes:
        nouns: what it is called, in tool names (spaces become underscores) and documents.
        phrases: what it is called in a question, with ``{}`` for the subject, and ``{given}`` for what a query takes.
        name: its own name in provenance and hashes; made of the first noun where it is left out.
        query: what has to be done to find the answer, where it is more than looking it up.
    """

    subject: Kind
    object: Kind | Quantity | Date | Moment | Clock | Text
    nouns: tuple[str, ...]
    phrases: tuple[str, ...]
    name: str = ""
    query: Query | None = None

    @property
    def key(self) -> str:
        """The relation's name in provenance and hashes."""
        return self.name or f"{self.subject.noun}.{self.nouns[0].replace(' ', '_')}"


@dataclass(frozen=True)
class Entity:
    """One thing that can be asked about, told from others of its kind by its number, by its name, and by ``parts``,
    the names of its keys, where it takes several of them."""

    kind: Kind
    number: int
    name: str
    parts: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str | int, ...]:
        """The entity as a tool takes it: a value for each parameter that says which one is meant."""
        if self.kind.keys:
            return tuple(map(_argument, self.kind.keys, self.parts))
        return (_argument(self.kind, self.name),)


def _argument(kind: Kind, name: str) -> str | int:
    return int(name) if kind.numbered else name


@dataclass(frozen=True)
class Given:
    """What a call has to say beside its subject.

    Attributes:
        role: bound, event, end, unit or pieces.
        value: as a tool takes it.
        entity: what it names, if it is an entity.
    """

    role: str
    value: str | int | float
    entity: Entity | None = None


@dataclass(frozen=True)
class Row:
    """One of the rows that belong to an entity.

    Attributes:
        label: its name or day; null where rows have none.
        entity: the row itself, where its kind has more to tell.
        value: the figure as text.
        rank: what rows are ordered by.
    """

    label: str | None
    entity: Entity | None
    value: str
    rank: Decimal


@dataclass(frozen=True)
class Fact:
    """What one relation says of one entity.

    Attributes:
        target: the entity that it leads to; null where it leads to a value.
        value: the answer as text: a name, a number in digits without separators, a date, words.
        rank: what a comparison goes by; null where nothing can be compared.
        given: what was given beside the subject: a bound, a unit, a number of pieces.
    """

    relation: Relation
    subject: Entity
    target: Entity | None
    value: str
    rank: Decimal | None = None
    given: Given | None = None


class Facts(Protocol):
    """Somebody who knows what is true. The same source always says the same."""

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Every relation, in an order that never changes."""

    @property
    def queries(self) -> tuple[Relation, ...]:
        """Every relation that takes more than looking up, in an order that never changes."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the facts come from, for the record of an environment."""

    def relations_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The relations whose subject is of this kind."""

    def queries_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The queries whose subject is of this kind."""

    def rows(self, rows: Rows, subject: Entity) -> tuple[Row, ...]:
        """What belongs to an entity; nothing where there is too little, or too much for a tool to hold."""

    def draw(self, kind: Kind, rng: Random) -> Entity:
        """An entity that a question may start from: one of the split."""

    def stranger(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind, to stand beside those of a question."""

    def fact(self, relation: Relation, subject: Entity) -> Fact | None:
        """What is true of ``subject``, which must be of the relation's kind; null where nothing is known."""


class NothingToAsk(Exception):
    """No question of the wanted shape was found; the message says what was looked for."""
