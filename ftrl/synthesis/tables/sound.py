"""Which facts a question may be about: those whose answers can't be guessed, read off, or taken for each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ftrl.audit.arguments import FILLERS, WILDCARDS
from ftrl.audit.attempts import COMMON_ANSWERS
from ftrl.rewards import matches_reference
from ftrl.rewards.reading import is_refusal
from ftrl.synthesis.tables.facts import Fact

_ERRORS = "an error occured when call: got an unexpected keyword argument, missing required positional argument"
"""Words of every failed call: an answer within them comes back for any mistake."""

_TRIED = {text.lower() for text in WILDCARDS} | {
    text.lower() for filler in FILLERS for text in (filler.text, str(filler.number))
}
"""Names and numbers that somebody who knows nothing tries first."""

SHORTEST = 3
"""Characters of an answer: less stands in many a text by chance."""


def can_be_guessed(value: str) -> bool:
    """Whether an answer is too short, or stands in a text of small numbers, years, yes and no, or of errors."""
    return len(value.strip()) < SHORTEST or stands_in(COMMON_ANSWERS, value) or stands_in(_ERRORS, value)


def is_tried_blindly(name: str) -> bool:
    """Whether a call about this would be made by somebody who did not read the question: a letter, a digit, "all"."""
    return len(name) < 2 or name.lower() in _TRIED


def stands_in(text: str, value: str) -> bool:
    """Whether a text holds an answer by the loosest of rules, accents or none."""
    return matches_reference(_plain(text), _plain(value))


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    parted = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in parted if not unicodedata.combining(letter))


def is_sound(question: str, facts: Sequence[Fact]) -> bool:
    """Whether these answers can be told apart, from each other and from the question, by the loosest of rules."""
    # Two questions about the same rows: the one's tool tells what the other's should.
    if len({(_asked(fact), fact.subject) for fact in facts}) < len(facts):
        return False
    for number, fact in enumerate(facts):
        parts = fact.value.split(", ")
        if is_tried_blindly(fact.subject.name) or is_refusal(fact.value):
            return False
        if any(can_be_guessed(p) or stands_in(question, p) for p in parts):
            return False
        if any(stands_in(other.value, part) for n, other in enumerate(facts) if n != number for part in parts):
            return False
        if stands_in(fact.subject.name, fact.value):
            return False
    return True


def _asked(fact: Fact) -> str:
    query = fact.relation.query
    return fact.relation.key if query is None or query.rows is None else query.rows.noun
