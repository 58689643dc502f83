"""Word problems, made from templates with numbers of a fixed seed: the same in every run and on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

SEED = 20_251_121
OF_EACH = 8
"""Problems of each template."""


@dataclass(frozen=True)
class Problem:
    """A question and the number that answers it."""

    kind: str
    question: str
    answer: int


def problems() -> list[Problem]:
    """All of them, the same each time."""
    draw = random.Random(SEED)
    return [Problem(kind, *make(draw)) for kind, make in _TEMPLATES.items() for _ in range(OF_EACH)]


def _addition(draw: random.Random) -> tuple[str, int]:
    a, b = draw.randint(120, 989), draw.randint(120, 989)
    return f"What is {a} + {b}?", a + b


def _subtraction(draw: random.Random) -> tuple[str, int]:
    a, b = draw.randint(500, 999), draw.randint(101, 499)
    return f"What is {a} - {b}?", a - b


def _product(draw: random.Random) -> tuple[str, int]:
    a, b = draw.randint(12, 49), draw.randint(6, 19)
    return f"What is {a} times {b}?", a * b


def _shopping(draw: random.Random) -> tuple[str, int]:
    cups, price, paid = draw.randint(3, 9), draw.randint(4, 12), draw.randint(120, 200)
    question = f"A cup costs {price} coins. Lena buys {cups} and pays with {paid} coins. How many does she get back?"
    return question, paid - cups * price


def _crates(draw: random.Random) -> tuple[str, int]:
    crates, apples, rotten = draw.randint(4, 15), draw.randint(20, 60), draw.randint(5, 40)
    question = (
        f"There are {crates} crates with {apples} apples each. {rotten} apples are rotten. How many apples are good?"
    )
    return question, crates * apples - rotten


def _sharing(draw: random.Random) -> tuple[str, int]:
    people, each, left = draw.randint(3, 12), draw.randint(5, 25), draw.randint(1, 2)
    total = people * each + left
    question = f"{people} friends share {total} marbles equally, and {left} are left over. How many does each get?"
    return question, each


def _journey(draw: random.Random) -> tuple[str, int]:
    hours, speed, more = draw.randint(2, 6), draw.randint(8, 25), draw.randint(5, 40)
    question = (
        f"Ivo cycles for {hours} hours at {speed} kilometres an hour, and then {more} kilometres more. "
        "How many kilometres is that in all?"
    )
    return question, hours * speed + more


def _ages(draw: random.Random) -> tuple[str, int]:
    young, times, years = draw.randint(4, 12), draw.randint(3, 6), draw.randint(2, 15)
    question = f"Ben is {young}. His aunt is {times} times as old. How old will his aunt be in {years} years?"
    return question, young * times + years


_TEMPLATES: dict[str, Callable[[random.Random], tuple[str, int]]] = {
    "addition": _addition,
    "subtraction": _subtraction,
    "product": _product,
    "shopping": _shopping,
    "crates": _crates,
    "sharing": _sharing,
    "journey": _journey,
    "ages": _ages,
}
