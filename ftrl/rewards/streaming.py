"""Scoring many responses as a stream: the reward stage at training size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ftrl.rewards.scoreboard import Unscorable
from ftrl.rewards.scoring import ResponseScoring, Score
from ftrl.sandbox import Call, CallResult, Sandbox

Item = TypeVar("Item")


def score_stream(
    scorings: Iterable[tuple[Item, ResponseScoring]], sandbox: Sandbox
) -> Iterator[tuple[Item, list[Score] | str]]:
    """Score any number of responses, in order and in bounded memory; calls that hang hold up no other response.

    Args:
        scorings: the responses, each with something that tells the caller which it is.
        sandbox: where their calls run.

    Yields:
        What came with each response, and its scores, one a profile; in place of scores that could not be had through a
        fault of ours, why.
    """
    answered = _with_results((((item, one), one.calls) for item, one in scorings), sandbox)
    for (item, scoring, fault), results in _with_results(_probes(answered), sandbox):
        if fault is not None:
            yield item, fault
            continue
        try:
            yield item, scoring.scores(results)
        except Unscorable as error:
            yield item, str(error)


def _probes(
    answered: Iterable[tuple[tuple[Item, ResponseScoring], list[CallResult]]],
) -> Iterator[tuple[tuple[Item, ResponseScoring, str | None], list[Call]]]:
    for (item, scoring), results in answered:
        try:
            probes, fault = scoring.probes(results), None
        except Unscorable as error:
            probes, fault = [], str(error)
        yield (item, scoring, fault), probes


def _with_results(
    groups: Iterable[tuple[Item, list[Call]]], sandbox: Sandbox
) -> Iterator[tuple[Item, list[CallResult]]]:
    """Each item with the results of its calls."""
    waiting: deque[Item] = deque()

    def calls() -> Iterator[list[Call]]:
        for item, of_item in groups:
            waiting.append(item)
            yield of_item

    for results in sandbox.stream_groups(calls()):
        yield waiting.popleft(), results
