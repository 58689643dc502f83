"""Which facts a question may be about: those whose answers can't be guessed, read off, or taken for each other."""

from __future__ import annotations

from collections.abc import Sequence

from ftrl.audit.attempts import COMMON_ANSWERS
from ftrl.rewards import matches_reference
from ftrl.synthesis.facts import Fact

SHORTEST = 3
"""Characters of an answer: less stands in many a text by chance."""


def can_be_guessed(value: str) -> bool:
    """Whether an answer is too short, or stands in a text of small numbers, years, yes and no."""
    return len(value.strip()) < SHORTEST or matches_reference(COMMON_ANSWERS, value)


def is_sound(question: str, facts: Sequence[Fact]) -> bool:
    """Whether these answers can be told apart, from each other and from the question, by the loosest of rules."""
    for number, fact in enumerate(facts):
        if can_be_guessed(fact.value) or matches_reference(question, fact.value):
            return False
        if any(matches_reference(other.value, fact.value) for n, other in enumerate(facts) if n != number):
            return False
        if matches_reference(fact.subject.name, fact.value):
            return False
    return True
