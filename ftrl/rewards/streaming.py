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
    scorings: Iterable[ResponseScoring], sandbox: Sandbox
) -> Iterator[tuple[ResponseScoring, list[Score] | str]]:
    """Score any number of responses, in order and in bounded memory; calls that hang hold up no other response.

    Args:
        scorings: the responses.
        sandbox: where their calls run.

    Yields:
        Each response and its scores, one a profile; in place of scores that could not be had through a fault of ours,
        why.
    """
    probed = _with_results(_probes(_with_results(((one, one.calls) for one in scorings), sandbox)), sandbox)
    for (scoring, fault), results in probed:
        if fault is not None:
            yield scoring, fault
            continue
        try:
            yield scoring, scoring.scores(results)
        except Unscorable as error:
            yield scoring, str(error)


def _probes(
    answered: Iterable[tuple[ResponseScoring, list[CallResult]]],
) -> Iterator[tuple[tuple[ResponseScoring, str | None], list[Call]]]:
    for scoring, results in answered:
        try:
            probes, fault = scoring.probes(results), None
        except Unscorable as error:
            probes, fault = [], str(error)
        yield (scoring, fault), probes


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
