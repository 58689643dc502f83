"""Sub-questions, and how a final answer follows from theirs: rules that a program can apply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal, DivisionByZero, InvalidOperation
from enum import Enum

from ftrl.environments.schema import Record
from ftrl.rewards import matches_strict
from ftrl.rewards.tokens import fold
from ftrl.synthesis.finding import Finding


class Rule(str, Enum):
    """What makes the final answer of the sub-answers that the conclusion names."""

    SAME_AS = "same_as"
    """It is the one sub-answer named."""
    LIST = "list"
    """It holds every one of them."""
    LARGEST = "largest"
    SMALLEST = "smallest"
    LATEST = "latest"
    EARLIEST = "earliest"
    """The value itself, among numbers or dates."""
    OF_LARGEST = "of_largest"
    OF_SMALLEST = "of_smallest"
    OF_LATEST = "of_latest"
    OF_EARLIEST = "of_earliest"
    """Whom or what that value belongs to."""
    SUM = "sum"
    DIFFERENCE = "difference"
    """Without a sign; between dates in days, between years in years."""
    PRODUCT = "product"
    RATIO = "ratio"
    """The first divided by the second."""
    AVERAGE = "average"
    ALL_EQUAL = "all_equal"
    """yes or no."""


class Conclusion(Record):
    """The rule, and the ids of the steps whose answers it takes, in order."""

    rule: Rule
    steps: tuple[str, ...]


class Step(Record):
    """A sub-question on its own. ``{q1}`` in its text stands for the answer of q1."""

    id: str
    text: str
    answer: str
    depends_on: tuple[str, ...] = ()


_NUMBER = re.compile(r"[-\u2212]?\d[\d,\u00a0\u202f ]*(?:\.\d+)?(?:[eE][+-]?\d+)?")
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_YEAR = re.compile(r"\b(\d{3,4})\b")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WRITTEN = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\s+([a-z]{3})[a-z]*\.?,?\s+(\d{3,4})\b")
_AMERICAN = re.compile(r"\b([a-z]{3})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{3,4})\b")

_VALUES = {Rule.LARGEST: max, Rule.SMALLEST: min, Rule.LATEST: max, Rule.EARLIEST: min}
_OWNERS = {Rule.OF_LARGEST: max, Rule.OF_SMALLEST: min, Rule.OF_LATEST: max, Rule.OF_EARLIEST: min}
_IN_TIME = (Rule.LATEST, Rule.EARLIEST, Rule.OF_LATEST, Rule.OF_EARLIEST)


def conclusion_broken(answer: str, conclusion: Conclusion, steps: Sequence[Step]) -> Iterator[Finding]:
    """Why the answer does not follow from the steps by the rule, if it does not."""
    known = {step.id: step for step in steps}
    missing = [name for name in conclusion.steps if name not in known]
    if missing or not conclusion.steps:
        yield "answer_does_not_follow", f"the conclusion names {', '.join(missing) or 'no sub-question'}"
        return
    rule = conclusion.rule
    named = [known[name] for name in conclusion.steps]
    wanted = "exactly 1" if rule == Rule.SAME_AS else "exactly 2" if rule == Rule.RATIO else "at least 2"
    fits = {"exactly 1": len(named) == 1, "exactly 2": len(named) == 2, "at least 2": len(named) >= 2}[wanted]
    if not fits or len(set(conclusion.steps)) < len(named):
        yield "answer_does_not_follow", f"the rule {rule.value} takes {wanted} different sub-questions"
        return
    if (why := _why_not(answer, rule, named, known)) is not None:
        told = "; ".join(f"{step.id}: {step.answer}" for step in named)
        yield "answer_does_not_follow", f"'{answer}' does not follow by the rule {rule.value} from {told}: {why}"


def _why_not(answer: str, rule: Rule, named: Sequence[Step], known: dict[str, Step]) -> str | None:
    answers = [step.answer for step in named]
    if rule == Rule.SAME_AS:
        same = fold(answer) == fold(answers[0]) or (
            matches_strict(answer, answers[0]) and matches_strict(answers[0], answer)
        )
        return None if same else "it is another value"
    if rule == Rule.LIST:
        lacking = [each for each in answers if not matches_strict(answer, each)]
        return f"it lacks {', '.join(lacking)}" if lacking else None
    if rule == Rule.ALL_EQUAL:
        expected = "yes" if len({fold(each) for each in answers}) == 1 else "no"
        return None if fold(answer).startswith(expected) else f"it should be {expected}"
    if rule in _VALUES or rule in _OWNERS:
        return _extreme(answer, rule, named, known)
    return _computed(answer, rule, answers)


def _extreme(answer: str, rule: Rule, named: Sequence[Step], known: dict[str, Step]) -> str | None:
    key = _moment if rule in _IN_TIME else number_in
    keys = [key(step.answer) for step in named]
    values = [each for each in keys if each is not None]
    if len(values) < len(keys):
        return "not all of these can be compared"
    choose: Callable[[list[Decimal]], Decimal] = _VALUES.get(rule) or _OWNERS[rule]
    best = choose(values)
    winners = [step for step, value in zip(named, values, strict=True) if value == best]
    if len(winners) > 1:
        return "there is a tie"
    if rule in _VALUES:
        same = matches_strict(answer, winners[0].answer) or key(answer) == best
        return None if same else f"it should be {winners[0].answer}"
    if not _owns(winners[0], answer, known):
        return f"'{answer}' stands neither in {winners[0].id} nor in what it depends on"
    others = [step.id for step in named if step is not winners[0] and _owns(step, answer, known)]
    return f"'{answer}' stands in {', '.join(others)} as well" if others else None


def _owns(step: Step, name: str, known: dict[str, Step]) -> bool:
    """Whether a name stands in the question that a value answers, or in what leads to it."""
    if matches_strict(step.text, name):
        return True
    return any(
        matches_strict(known[before].answer, name) or _owns(known[before], name, known) for before in step.depends_on
    )


def _computed(answer: str, rule: Rule, answers: Sequence[str]) -> str | None:
    days = [day_in(each) for each in answers]
    numbers = [number_in(each) for each in answers]
    result: Decimal
    if rule == Rule.DIFFERENCE and len(answers) == 2 and None not in days:
        first, second = (day for day in days if day is not None)
        result = Decimal(abs((first - second).days))
    elif None in numbers:
        return "not all of these are numbers"
    else:
        values = [value for value in numbers if value is not None]
        if rule == Rule.DIFFERENCE and len(values) != 2:
            return "a difference is of two"
        try:
            result = _calculate(rule, values)
        except (DivisionByZero, InvalidOperation):
            return "that can't be divided"
    given = number_in(answer)
    if given is None:
        return f"it is no number; it should be {result.normalize():f}"
    exponent = given.as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(1)
    whole = given == given.to_integral_value() and result == result.to_integral_value()
    close = given == result if whole else abs(given - result) <= step / 2
    return None if close else f"it should be {result.normalize():f}"


def _calculate(rule: Rule, values: Sequence[Decimal]) -> Decimal:
    if rule == Rule.DIFFERENCE:
        return abs(values[0] - values[1])
    if rule == Rule.RATIO:
        return values[0] / values[1]
    if rule == Rule.PRODUCT:
        product = Decimal(1)
        for value in values:
            product *= value
        return product
    total = sum(values, Decimal(0))
    return total / len(values) if rule == Rule.AVERAGE else total


def number_in(text: str) -> Decimal | None:
    """The first number in a text, if there is one."""
    match = _NUMBER.search(text)
    if match is None:
        return None
    return Decimal(re.sub(r"[^\d.eE+-]", "", match.group().replace("\u2212", "-")))


def day_in(text: str) -> date | None:
    """The first whole date in a text, if there is one."""
    return next(days_in(text), None)


def days_in(text: str) -> Iterator[date]:
    """The whole dates in a text: ``1969-07-20``, ``20 July 1969``, ``July 20, 1969``."""
    folded = text.casefold()
    found: list[tuple[int, int, int, int]] = []
    for match in _ISO.finditer(folded):
        found.append((match.start(), int(match[1]), int(match[2]), int(match[3])))
    for pattern, month, day in ((_WRITTEN, 2, 1), (_AMERICAN, 1, 2)):
        for match in pattern.finditer(folded):
            if match[month] in _MONTHS:
                found.append((match.start(), int(match[3]), _MONTHS.index(match[month]) + 1, int(match[day])))
    for _, *parts in sorted(found):
        with suppress(ValueError):
            yield date(*parts)


def _moment(text: str) -> Decimal | None:
    """A point in time as a number: of days for dates, the same for the first of January of years, or of a clock."""
    clock = _CLOCK.search(text)
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(clock.groups(), (3600, 60, 1), strict=True)) if clock else 0
    )
    if (day := day_in(text)) is not None:
        return Decimal(day.toordinal()) + Decimal(seconds) / 86_400
    if clock:
        return Decimal(seconds) / 86_400
    if match := _YEAR.search(text):
        year = int(match[1])
        return Decimal(date(year, 1, 1).toordinal()) * (-1 if "bc" in text.casefold() else 1)
    return None
