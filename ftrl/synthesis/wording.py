"""Questions in words: phrases put inside phrases, and the sentences around them."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.relations import PERSON, Kind, Quantity, Relation
from ftrl.synthesis.world import Entity

INSTRUCTION = "Call the tools to answer the question."
"""The first line of every user message."""

_ASK = ("Find {}.", "Please tell me {}.", "I want to know {}.", "Can you find out {}?")
_ASK_PERSON = ("Who is {}?", "Who is {}?", "Please name {}.", *_ASK)
_ASK_THING = ("What is {}?", "What is {}?", "Please name {}.", *_ASK)
_ASK_QUANTITY = ("What is {}?", "What is {}?", "Please look up {}.", *_ASK)
_ASK_SEVERAL = (
    "What are {}?",
    "Find both {}.",
    "Please tell me {}.",
    "I need two things: {}.",
    "Look up {}.",
)
_COMPARE = (
    "Which has the {more} {noun}, {first} or {second}?",
    "Is the {noun} of {first} or of {second} the {more} one?",
    "Compare the {noun} of {first} with that of {second}: whose is {more}?",
)


def mention(entity: Entity, rng: Random) -> str:
    """An entity as a question names it: ``Kelobani`` or ``the town Kelobani``."""
    if entity.kind.introduced and rng.random() < 0.5:
        return f"the {entity.kind.noun} {entity.name}"
    return entity.name


def phrase(relation: Relation, subject: str, rng: Random) -> str:
    """What the relation says of a subject, as a noun phrase that can be put into another."""
    return rng.choice(relation.phrases).format(subject)


def step_text(relation: Relation, subject: str) -> str:
    """A sub-question on its own, always in the same words."""
    word = "Who" if relation.object == PERSON else "What"
    return f"{word} is {relation.phrases[0].format(subject)}?"


def ask(relation: Relation, what: str, rng: Random) -> str:
    """The question for one answer; ``relation`` is the last one, which gives it."""
    return rng.choice(_templates(relation.object)).format(what)


def ask_several(whats: list[str], rng: Random) -> str:
    """The question for several answers."""
    templates = (
        _ASK_SEVERAL if len(whats) == 2 else tuple(t for t in _ASK_SEVERAL if "two" not in t and "both" not in t)
    )
    return rng.choice(templates).format(f"{', '.join(whats[:-1])} and {whats[-1]}")


def ask_comparison(relation: Relation, subjects: list[str], more: bool, rng: Random) -> str:
    """The question which of two subjects has more (or less) of a quantity.

    Args:
        relation: leads to the quantity.
        subjects: two phrases.
        more: whether the larger one is asked for.
        rng: chooses the words.
    """
    assert isinstance(relation.object, Quantity)
    word = relation.object.more if more else relation.object.less
    first, second = subjects
    return rng.choice(_COMPARE).format(more=word, noun=relation.nouns[0], first=first, second=second)


def _templates(answer: Kind | Quantity) -> tuple[str, ...]:
    if isinstance(answer, Quantity):
        return _ASK_QUANTITY
    return _ASK_PERSON if answer == PERSON else _ASK_THING
