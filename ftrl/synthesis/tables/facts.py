"""What a source of facts is: kinds of things, relations between them, and somebody who knows what is true.

The stages ask a ``Facts`` and nothing else. There are two: the seeded fictional ``World``, and the user's own
tables (``tabular.TableFacts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
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
    """

    noun: str
    parameters: tuple[str, ...]
    words: int = 1
    suffix: str = ""
    mentions: tuple[str, ...] = ("{}",)
    person: bool = False
    called: str = "name"
    numbered: bool = False

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
    """

    low: int = 0
    high: int = 0
    unit: str = ""
    more: str = "larger"
    less: str = "smaller"
    whole: bool = True


@dataclass(frozen=True)
class Date:
    """A day, written ``1874-03-02``; in the fictional world of a year between two bounds, both included."""

    first_year: int = 0
    last_year: int = 0
    more: str = "later"
    less: str = "earlier"


@dataclass(frozen=True)
class Text:
    """Words that lead nowhere: an address, a colour, a title."""


@dataclass(frozen=True)
class Relation:
    """A function from the entities of one kind to the entities of another, or to a value.

    Attributes:
        nouns: what it is called, in tool names (spaces become underscores) and documents.
        phrases: what it is called in a question, with ``{}`` for the subject.
        name: its own name in provenance and hashes; made of the first noun where it is left out.
    """

    subject: Kind
    object: Kind | Quantity | Date | Text
    nouns: tuple[str, ...]
    phrases: tuple[str, ...]
    name: str = ""

    @property
    def key(self) -> str:
        """The relation's name in provenance and hashes."""
        return self.name or f"{self.subject.noun}.{self.nouns[0].replace(' ', '_')}"


@dataclass(frozen=True)
class Entity:
    """One thing that can be asked about; ``number`` tells it from others of its kind, and so does its name."""

    kind: Kind
    number: int
    name: str

    @property
    def argument(self) -> str | int:
        """The entity as a tool takes it."""
        return int(self.name) if self.kind.numbered else self.name


@dataclass(frozen=True)
class Fact:
    """What one relation says of one entity.

    Attributes:
        target: the entity that it leads to; null where it leads to a value.
        value: the answer as text: a name, a number in digits without separators, a date, words.
        rank: what a comparison goes by; null where nothing can be compared.
    """

    relation: Relation
    subject: Entity
    target: Entity | None
    value: str
    rank: Decimal | None = None


class Facts(Protocol):
    """Somebody who knows what is true. The same source always says the same."""

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Every relation, in an order that never changes."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the facts come from, for the record of an environment."""

    def relations_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The relations whose subject is of this kind."""

    def draw(self, kind: Kind, rng: Random) -> Entity:
        """An entity that a question may start from: one of the split."""

    def stranger(self, kind: Kind, rng: Random) -> Entity:
        """Any entity of that kind, to stand beside those of a question."""

    def fact(self, relation: Relation, subject: Entity) -> Fact | None:
        """What is true of ``subject``, which must be of the relation's kind; null where nothing is known."""


class NothingToAsk(Exception):
    """No question of the wanted shape was found; the message says what was looked for."""
