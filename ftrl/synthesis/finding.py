"""What an acceptance rule says, and when a text tells a value."""

from __future__ import annotations

from ftrl.rewards import matches_reference, matches_strict

Finding = tuple[str, str]
"""The rule that is broken, by name, and where and how, as a sentence."""

_LONG = 5
"""Values of so many characters are in no text by chance."""


def tells(text: str, value: str) -> bool:
    """Whether a text gives a value away: as a value among its words, or, if it is long enough, anywhere.

    The published matching alone would say that "in 2010" tells 1: whoever chooses values freely can keep to that, a
    question that somebody else asked can not.
    """
    return matches_strict(text, value) or (len(value.strip()) >= _LONG and matches_reference(text, value))
