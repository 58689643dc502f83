"""Questions in words: phrases put inside phrases, and the sentences around them."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables.facts import Clock, Date, Entity, Fact, Kind, Moment, Quantity, Relation

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
_DAYS = (
    "How many days lie between the {noun} of {first} and that of {second}?",
    "Take the {noun} of {first} and that of {second}: how many days are they apart?",
    "Please work out how many days separate the {noun} of {first} from that of {second}.",
)
_LIST = (
    "What are {}?",
    "Please list {}.",
    "Name {}.",
    "Which are {}? I need all of them.",
    "Could you list {}?",
)
_COUNT = (
    "How many are {}, and which are they?",
    "Please count {}, and name them.",
    "List {}, and say how many there are.",
)
# What real models are asked beside that.
_ALSO = (
    "Could you look up {}?",
    "Would you please find {}?",
    "I would like to know {}.",
    "Let me know {}.",
    "I am trying to find out {}.",
    "Please give me {}.",
)
_WHEN = ("When is {}?", "When exactly is {}?", "I have to know {}.")
_ALSO_SEVERAL = (
    "Could you look up {}?",
    "Would you please find {}?",
    "I would like to know {}.",
    "Please find out {}.",
    "Here is what I need: {}.",
    "I am after {}.",
)


def a(noun: str) -> str:
    """The noun with its article: ``a town``, ``an opera``."""
    vowel = noun.startswith(tuple("aeiou")) and not noun.startswith(("uni", "use", "usa", "eu", "one"))
    return f"{'an' if vowel or noun.startswith(('hour', 'honour', 'honor')) else 'a'} {noun}"


def mention(entity: Entity, rng: Random) -> str:
    """An entity as a question names it: ``Kelobani`` or ``the town Kelobani``."""
    mentions = entity.kind.mentions
    return (rng.choice(mentions) if len(mentions) > 1 else mentions[0]).format(entity.name)


def phrase(fact: Fact, subject: str, rng: Random) -> str:
    """What the fact's relation says of a subject, as a noun phrase that can be put into another.

    A subject that ends with a verb goes to the end: "the mayor of the town that Q comes from" reads, the same
    with "the person that the town that Q comes from is governed by" does not.
    """
    every = _phrases(fact)
    phrases = [text for text in every if text.endswith("{}")] if _is_clause(subject) else []
    return rng.choice(phrases or every).format(subject, given=fact.given and fact.given.value)


def without_echo(text: str, subject: Entity) -> str:
    """The phrase around a named subject without its kind twice: "whose album is the album X" becomes "is X"."""
    noun = subject.kind.noun
    return text.replace(f"whose {noun} is the {noun} ", f"whose {noun} is ")


def _phrases(fact: Fact) -> tuple[str, ...]:
    relation, given = fact.relation, fact.given
    if given is None or relation.query is not None:
        return relation.phrases
    answer = relation.object
    assert isinstance(answer, Quantity)
    first = relation.phrases[0]
    if given.role == "pieces":
        return (first.replace("{}", f"{{given}} {answer.each} {{}}"),)
    plain = first.replace(f" in {answer.unit} of {{}}", " of {}")
    return (plain.replace(" of {}", " in {given} of {}"),)


def is_several(fact: Fact) -> bool:
    """Whether the answer is a list."""
    return fact.relation.query is not None and fact.relation.query.take.lists


def _is_clause(subject: str) -> bool:
    return any(f" {word} " in subject for word in ("that", "which", "who", "whom", "where", "whose", "after"))


def step_text(fact: Fact, subject: str) -> str:
    """A sub-question on its own, always in the same words."""
    relation = fact.relation
    word = "Who" if isinstance(relation.object, Kind) and relation.object.person else "What"
    text = _phrases(fact)[0].format(subject, given=fact.given and fact.given.value)
    return f"{word} {'are' if is_several(fact) else 'is'} {text}?"


def ask(relation: Relation, what: str, wide: bool, rng: Random) -> str:
    """The question for one answer; ``relation`` is the last one, which gives it."""
    templates = _templates(relation.object)
    if wide:
        templates = (*templates, *_ALSO)
        if isinstance(relation.object, (Clock, Moment)):
            templates = (*_WHEN, *_ALSO)
    return rng.choice(templates).format(what)


def ask_list(what: str, rng: Random) -> str:
    """The question for one answer that is a list."""
    return rng.choice(_LIST).format(what)


def ask_count(what: str, rng: Random) -> str:
    """The question for a list and how long it is."""
    return rng.choice(_COUNT).format(what)


def ask_several(whats: list[str], wide: bool, rng: Random) -> str:
    """The question for several answers."""
    templates = (
        _ASK_SEVERAL if len(whats) == 2 else tuple(t for t in _ASK_SEVERAL if "two" not in t and "both" not in t)
    )
    if wide:
        templates = (*templates, *_ALSO_SEVERAL)
    return rng.choice(templates).format(f"{', '.join(whats[:-1])} and {whats[-1]}")


def ask_days(relation: Relation, subjects: list[str], rng: Random) -> str:
    """The question how many days lie between what two subjects have."""
    first, second = subjects
    return rng.choice(_DAYS).format(noun=relation.nouns[0], first=first, second=second)


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
