"""Questions in words: phrases put inside phrases, and the sentences around them."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables.facts import Date, Entity, Kind, Quantity, Relation

INSTRUCTION = "Call the tools to answer the question."
"""The first line of every user message."""

_ASK = ("Find {}.", "Please tell me {}.", "I want to know {}.", "Can you find out {}?")
_ASK_PERSON = ("Who is {}?", "Who is {}?", "Please name {}.", *_ASK)
_ASK_THING = ("What is {}?", "What is {}?", "Please name {}.", *_ASK)
_ASK_VALUE = ("What is {}?", "What is {}?", "Please look up {}.", *_ASK)
_ASK_SEVERAL = (
    "What are {}?",
    "Find both {}.",
    "Please tell me {}.",
    "I need two things: {}.",
    "Look up {}.",
)
_EXTREME = (
    "What is the {more} {noun}, that of {first} or that of {second}?",
    "Look up the {noun} of {first} and that of {second}, and tell me the {more} one.",
    "Compare the {noun} of {first} with that of {second}: what is the {more} of the two?",
)
_DIFFERENCE = (
    "What is the difference between the {noun} of {first} and that of {second}?",
    "By how much does the {noun} of {first} differ from that of {second}?",
    "Look up the {noun} of {first} and that of {second}: how far are they apart?",
)


def a(noun: str) -> str:
    """The noun with its article: ``a town``, ``an opera``."""
    return f"{'an' if noun[:1] in tuple('aeiou') else 'a'} {noun}"


def mention(entity: Entity, rng: Random) -> str:
    """An entity as a question names it: ``Kelobani`` or ``the town Kelobani``."""
    mentions = entity.kind.mentions
    return (rng.choice(mentions) if len(mentions) > 1 else mentions[0]).format(entity.name)


def phrase(relation: Relation, subject: str, rng: Random) -> str:
    """What the relation says of a subject, as a noun phrase that can be put into another.

    A subject that ends with a verb goes to the end: "the mayor of the town that Q comes from" reads, the same
    with "the person that the town that Q comes from is governed by" does not.
    """
    phrases = [text for text in relation.phrases if text.endswith("{}")] if _is_clause(subject) else []
    return rng.choice(phrases or relation.phrases).format(subject)


def _is_clause(subject: str) -> bool:
    return any(f" {word} " in subject for word in ("that", "which", "who", "whom", "where", "whose", "after"))


def step_text(relation: Relation, subject: str) -> str:
    """A sub-question on its own, always in the same words."""
    word = "Who" if isinstance(relation.object, Kind) and relation.object.person else "What"
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


def ask_extreme(relation: Relation, subjects: list[str], more: bool, rng: Random) -> str:
    """The question for the larger (or smaller) of what two subjects have; which of them it is, it does not ask.

    Args:
        relation: leads to a quantity or a date.
        subjects: two phrases.
        more: whether the larger one is asked for.
        rng: chooses the words.
    """
    assert isinstance(relation.object, (Quantity, Date))
    word = relation.object.more if more else relation.object.less
    first, second = subjects
    return rng.choice(_EXTREME).format(more=word, noun=relation.nouns[0], first=first, second=second)


def ask_difference(relation: Relation, subjects: list[str], rng: Random) -> str:
    """The question how far apart two subjects are in a quantity."""
    first, second = subjects
    return rng.choice(_DIFFERENCE).format(noun=relation.nouns[0], first=first, second=second)


def _templates(answer: object) -> tuple[str, ...]:
    if not isinstance(answer, Kind):
        return _ASK_VALUE
    return _ASK_PERSON if answer.person else _ASK_THING
