"""Facts that take more than looking up: bounds, sums, lists, units, time zones, days between dates.

What is given beside the subject is drawn so that the answer hangs on it: a call without it, or with another one that
means something else, brings something else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

from ftrl.synthesis.tables.facts import (
    Clock,
    Date,
    Entity,
    Fact,
    Facts,
    Given,
    Kind,
    Quantity,
    Query,
    Relation,
    Row,
    Take,
)
from ftrl.synthesis.tables.sound import stands_in

LISTED = 3
"""Rows that a list has, and the most that a tool lists: a call that asks for more has to be narrowed, so that no
lower bound brings the list as well."""

DAY = Kind("date", ("start_date", "first_date", "from_date"), mentions=("{}",), called="day")
"""Days as subjects of a calculation."""

DAYS_BETWEEN = Relation(
    DAY,
    Quantity(unit="days"),
    ("days between", "day count"),
    ("the number of days between {} and {given}",),
    "calendar.days_between",
    Query(
        Take.DAYS,
        None,
        "the number of days between two dates",
        ("end_date", "second_date", "to_date"),
        "The later or earlier date, written YYYY-MM-DD.",
    ),
)
"""The one relation that is calculated from its arguments alone."""


def ask(facts: Facts, relation: Relation, subject: Entity, rng: Random) -> Fact | None:
    """What is true of ``subject``; for a query, with what it takes drawn. Null where nothing can be asked."""
    if relation.query is None:
        return facts.fact(relation, subject)
    if relation.query.rows is None:
        return _local_time(facts, relation, subject, rng)
    rows = facts.rows(relation.query.rows, subject)
    return of_rows(relation, subject, rows, rng) if len(rows) > 3 else None


def of_rows(relation: Relation, subject: Entity, rows: tuple[Row, ...], rng: Random) -> Fact | None:
    """The query's answer over rows, with a bound that matters: some rows are beyond it, some are not.

    Null where figures are the same at the bound, or where one row's label holds the answer's.
    """
    query = relation.query
    assert query is not None
    ordered = sorted(rows, key=lambda row: row.rank)
    # The rows from ``at`` on are above the bound.
    at = rng.randint(1, len(ordered) - (2 if query.take in (Take.TOTAL, Take.WHICH) else 1))
    if query.take is Take.WHICH:
        at = len(ordered) - LISTED
    if ordered[at - 1].rank == ordered[at].rank:
        return None
    bound = _between(ordered[at - 1], ordered[at], query)
    if bound is None:
        return None
    given = Given("bound", bound)
    if query.take is Take.TOTAL:
        total = summed([number_of(row.value) for row in rows if row in ordered[at:]])
        return Fact(relation, subject, None, str(total), Decimal(str(total)), given)
    row, beside = (ordered[at], at + 1) if query.take is Take.NEXT else (ordered[at - 1], at - 2)
    lists = query.take.lists
    tied = not lists and 0 <= beside < len(ordered) and ordered[beside].rank == row.rank
    told = [str(one.label if one.label is not None else one.value) for one in ordered]
    answers = told[at:] if lists else [told[ordered.index(row)]]
    if tied or any(stands_in(other, answer) for answer in answers for other in told if other != answer):
        return None
    if lists:
        return Fact(relation, subject, None, ", ".join(answers), None, given)
    return Fact(relation, subject, row.entity, answers[0], row.rank if row.label is None else None, given)


def other_bounds(relation: Relation, fact: Fact, rows: tuple[Row, ...]) -> list[str | int | float]:
    """Bounds that mean something else than the one of the fact: below all rows, above all, and between others."""
    query = relation.query
    assert query is not None
    assert fact.given is not None
    ordered = sorted(rows, key=lambda row: row.rank)
    bounds = []
    for low, high in pairwise(ordered):
        bound = _between(low, high, query)
        if bound is not None and not low.rank < _rank(fact.given.value, query) < high.rank:
            bounds.append(bound)
    return bounds


def turned(fact: Fact, rng: Random) -> Fact:
    """The same figure in another unit, or for several pieces; the fact itself where there is neither."""
    answer = fact.relation.object
    if not isinstance(answer, Quantity) or not answer.whole or fact.given is not None:
        return fact
    if answer.each and (not answer.units or rng.random() < 0.5):
        pieces = rng.randint(12, 96)
        return replace(fact, value=str(int(fact.value) * pieces), rank=None, given=Given("pieces", pieces))
    if not answer.units:
        return fact
    unit, factor = rng.choice(answer.units)
    value = str(converted(int(fact.value), factor))
    # The figure as it is must not hold the converted one, as 3120 metres hold 312.
    return fact if stands_in(fact.value, value) else replace(fact, value=value, rank=None, given=Given("unit", unit))


def converted(number: int, factor: float) -> int:
    """A figure in another unit, rounded to a whole number, as the tools write it."""
    return round(number * factor)


def summed(numbers: list[int | float]) -> int | float:
    """The sum as the tools make it: exact for whole numbers, else rounded to cents."""
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return round(sum(numbers), 2)


def number_of(text: str) -> int | float:
    """A figure as code has it."""
    return float(text) if "." in text else int(text)


def days_between(first: str, second: str) -> Fact:
    """How many days lie between two dates."""
    days = abs((date.fromisoformat(second) - date.fromisoformat(first)).days)
    return Fact(DAYS_BETWEEN, Entity(DAY, 0, first), None, str(days), Decimal(days), Given("end", second))


def local_time(start: str, offset: str) -> str:
    """A moment of UTC by clocks that are so many minutes ahead of it."""
    moment = datetime.fromisoformat(start) + timedelta(minutes=int(offset))
    return moment.isoformat(sep=" ", timespec="minutes")


def _local_time(facts: Facts, relation: Relation, zone: Entity, rng: Random) -> Fact | None:
    assert relation.query is not None
    offset, start = relation.query.parts
    event = facts.stranger(start.subject, rng)
    moved, moment = facts.fact(offset, zone), facts.fact(start, event)
    if moved is None or moment is None:
        return None
    return Fact(relation, zone, None, local_time(moment.value, moved.value), None, Given("event", event.name, event))


def _rank(bound: str | int | float, query: Query) -> Decimal:
    assert query.rows is not None
    if isinstance(query.rows.value, Quantity):
        return Decimal(str(bound))
    if isinstance(query.rows.value, Date):
        return Decimal(date.fromisoformat(str(bound)).toordinal())
    hours, minutes = str(bound).split(":")
    return Decimal(int(hours) * 60 + int(minutes))


def _between(low: Row, high: Row, query: Query) -> str | int | float | None:
    """The roundest value strictly between two figures; null where there is none."""
    assert query.rows is not None
    value = query.rows.value
    if isinstance(value, Quantity) and not value.whole:
        cents = _round_between(int(low.rank * 100), -int(-high.rank * 100 // 1), _TENS)
        if cents is None or not low.rank * 100 < cents < high.rank * 100:
            return None
        return cents / 100 if cents % 100 else cents // 100
    steps = _MINUTES if isinstance(value, Clock) else _TENS
    number = _round_between(int(low.rank), int(high.rank), steps)
    if number is None or isinstance(value, Quantity):
        return number
    if isinstance(value, Date):
        return _round_day(int(low.rank), int(high.rank))
    return f"{number // 60:02}:{number % 60:02}"


_TENS = tuple(digit * 10**power for power in range(12, -1, -1) for digit in (5, 1))
_MINUTES = (60, 30, 15, 10, 5, 1)


def _round_between(low: int, high: int, steps: tuple[int, ...]) -> int | None:
    for step in steps:
        number = (high - 1) // step * step
        if number > low:
            return number
    return None


def _round_day(low: int, high: int) -> str | None:
    """The first day of a year or month strictly between two days, or any."""
    last = date.fromordinal(high - 1)
    for day in (date(last.year, 1, 1), date(last.year, last.month, 1), last):
        if low < day.toordinal():
            return day.isoformat()
    return None
