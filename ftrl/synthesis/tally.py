"""Counting, while a run goes on, without keeping what is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from ftrl.environments import Environment
from ftrl.synthesis.config import StageReport, SynthesisReport
from ftrl.synthesis.verify import Rejection

_EXAMPLES = 10
"""Rejections that the report tells in words."""


class Counted(Protocol):
    """An environment that was written, with what proved it."""

    @property
    def environment(self) -> Environment:
        """What was written."""

    @property
    def sources(self) -> dict[str, str]:
        """Tool name to source."""

    @property
    def calls(self) -> dict[str, int]:
        """Sandbox calls by purpose."""


class StageCounted(Protocol):
    """What a stage has done so far."""

    name: str
    entered: int
    left: int
    rejected: Counter[str]
    in_flight: int
    repeated: int
    seconds: float


class Tally:
    """Sums of a run; ``report`` makes a report of them at any time."""

    def __init__(self, empty: SynthesisReport) -> None:
        self._empty = empty
        self._rejections: Counter[str] = Counter()
        self._examples: list[str] = []
        self._scenarios: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._sent_back: dict[str, Counter[str]] = {}
        self._given_up = 0

    def accept(self, finished: Counted) -> None:
        """Count an environment that was written."""
        environment = finished.environment
        self._send_back(environment.provenance.get("sent_back", {}))
        self._scenarios[environment.scenario.value] += 1
        self._calls.update(finished.calls)
        tools = environment.tools
        parameters = sum(len(tool["function"]["parameters"]["properties"]) for tool in tools)
        self._sums["tools"] += len(tools)
        self._sums["parameters"] += parameters
        self._sums["golden_calls"] += len(environment.trace)
        self._sums["question_characters"] += len(environment.question)
        self._sums["documents_characters"] += sum(len(json.dumps(tool)) for tool in tools)
        self._sums["code_characters"] += sum(len(source) for source in finished.sources.values())

    def reject(self, index: int, rejection: Rejection) -> None:
        """Count a candidate that was rejected."""
        self._send_back(rejection.sent_back)
        self._rejections[rejection.rule] += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(f"item {index}: {rejection.rule}: {rejection.detail}")

    def _send_back(self, answers: Mapping[str, Mapping[str, int]]) -> None:
        for stage, rules in answers.items():
            self._sent_back.setdefault(stage, Counter()).update(rules)

    def give_up(self, items: int) -> None:
        """Count items of which every attempt was rejected."""
        self._given_up += items

    def report(self, done: int, seconds: float, stages: Sequence[StageCounted] = ()) -> SynthesisReport:
        """The report so far: ``done`` items, in so many seconds."""
        accepted = self._scenarios.total()
        return self._empty.model_copy(
            update={
                "done": done,
                "accepted": accepted,
                "candidates": accepted + self._rejections.total(),
                "given_up": self._given_up,
                "rejections": dict(self._rejections.most_common()),
                "examples": list(self._examples),
                "scenarios": dict(sorted(self._scenarios.items())),
                "calls": dict(sorted(self._calls.items())),
                "means": self._means(accepted),
                "seconds": seconds,
                "stages": [_told(stage, self._sent_back.get(stage.name, Counter())) for stage in stages],
            }
        )

    def _means(self, accepted: int) -> dict[str, float]:
        if not accepted:
            return {}
        sums, tools = self._sums, self._sums["tools"]
        each = ("tools", "golden_calls", "question_characters", "documents_characters")
        return {
            **{name: round(sums[name] / accepted, 2) for name in each},
            "parameters_per_tool": round(sums["parameters"] / tools, 2),
            "code_characters_per_tool": round(sums["code_characters"] / tools, 2),
        }


def _told(stage: StageCounted, sent_back: Counter[str]) -> StageReport:
    return StageReport(
        name=stage.name,
        entered=stage.entered,
        left=stage.left,
        sent_back=dict(sent_back.most_common()),
        rejected=dict(stage.rejected.most_common()),
        in_flight=stage.in_flight,
        repeated=stage.repeated,
        seconds=round(stage.seconds, 3),
    )
