"""Which names and dates a sub-question says, and whether its call says them, too.

A name is told by its capital letter, which is right for English often enough. Where it is not, a tool's own document
will say the word: a unit, a prize, a catalogue.
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterator, Sequence

from ftrl.environments.schema import Json, SubQuestion
from ftrl.rewards.tokens import fold
from ftrl.synthesis.conclusion import days_in
from ftrl.synthesis.finding import Finding

_PLACEHOLDER = re.compile(r"\{\w+\}")
_WORD = re.compile(r"[^\W\d_]+")
_YEAR = re.compile(r"\b[12]\d{3}\b")
_CALENDAR = frozenset((*calendar.month_name, *calendar.day_name))
_BEGINNINGS = (
    "a according after among an and are as at before between by can could did do does during find for from give had "
    "has have how if in is list look name of on or please tell that the these this those to under was were what when "
    "where which who whom whose why with"
)
_OPENING = frozenset(_BEGINNINGS.split())
"""Words that begin a question without being a name, also where a name follows."""


def names_broken(trace: Sequence[SubQuestion], tools: Sequence[dict[str, Json]]) -> Iterator[Finding]:
    """Sub-questions with a name or a date that their call does not say.

    Args:
        trace: the sub-questions with their calls; each call is of one of the tools.
        tools: the documents.
    """
    documents = {tool["function"]["name"]: json.dumps(tool["function"], ensure_ascii=False) for tool in tools}
    answers = {step.id: step.answer for step in trace}
    for step in trace:
        said = json.dumps([step.arguments, [answers[name] for name in step.depends_on]], ensure_ascii=False)
        known, days = _words(f"{said} {documents[step.tool]}"), set(days_in(said))
        text = _PLACEHOLDER.sub(" ", step.text)
        missing = [day.isoformat() for day in days_in(text) if day not in days]
        missing += [year for year in _YEAR.findall(text) if year not in said]
        missing += [name for name in names_in(text) if fold(name) not in known]
        if missing:
            yield (
                "name_not_in_call",
                f"{step.id}, '{step.text}', says {', '.join(dict.fromkeys(missing))}, and its call does not: "
                f"{json.dumps(step.arguments, ensure_ascii=False)}; every name and date in a sub-question is an "
                "argument of its call, or part of one",
            )


def names_in(text: str) -> Iterator[str]:
    """Words with a capital letter, one by one; no abbreviations, and none that only begins a sentence."""
    words = list(_WORD.finditer(text))
    for place, match in enumerate(words):
        word, before = match[0], text[: match.start()].rstrip()
        if not word[0].isupper() or word.isupper() or word in _CALENDAR:
            continue
        following = words[place + 1][0] if place + 1 < len(words) else ""
        begins = not before or before[-1] in ".?!:"
        if not begins or (following[:1].isupper() and fold(word) not in _OPENING):
            yield word


def _words(text: str) -> set[str]:
    return set(_WORD.findall(fold(text)))
