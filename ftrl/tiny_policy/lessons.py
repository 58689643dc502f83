"""Conversations as tokens: what a batch of the recipe is made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ftrl.tiny_policy.demonstrations import Demonstration

READING = 0.1
"""Weight in the loss of what the model does not say itself, but reads."""

WINDOW = 96
"""Lessons that are sorted by length together, so that a batch holds little padding."""


@dataclass(frozen=True)
class Lesson:
    """Tokens, and the weight of each in the loss: 1 for what is an example, less for what is read."""

    tokens: list[int]
    weights: list[float]


def lesson(tokenizer: Any, demonstration: Demonstration) -> Lesson:
    """Cut a conversation into tokens.

    The template renders a turn from its own message and nothing later, so the conversation grows turn by turn.
    """
    messages = [turn.message for turn in demonstration.turns]
    tools = list(demonstration.tools)
    tokens: list[int] = []
    weights: list[float] = []

    def take(upto: int, weight: float, *, speaking: bool = False) -> None:
        text = tokenizer.apply_chat_template(
            messages[:upto], tools=tools, tokenize=False, add_generation_prompt=speaking
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        weights.extend([weight] * (len(ids) - len(tokens)))
        tokens.extend(ids[len(tokens) :])

    for index, turn in enumerate(demonstration.turns):
        if turn.message["role"] == "assistant":
            take(index, READING, speaking=True)
            take(index + 1, 1.0 if turn.example else 0.0)
    return Lesson(tokens, weights)


def batches(lessons: Iterator[Lesson], tokens: int) -> Iterator[list[Lesson]]:
    """Groups of lessons of similar length, of at most so many tokens with their padding."""
    while window := list(itertools.islice(lessons, WINDOW)):
        window.sort(key=lambda one: len(one.tokens))
        batch: list[Lesson] = []
        for one in window:
            if batch and (len(batch) + 1) * len(one.tokens) > tokens:
                yield batch
                batch = []
            batch.append(one)
        yield batch
