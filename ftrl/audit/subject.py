"""A task as the probes see it: its record, its sources read, and the calls that were made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from ftrl.audit.arguments import Parameters
from ftrl.audit.source import Source, read_source
from ftrl.environments import Environment, Gold
from ftrl.environments.checks import tool_name
from ftrl.environments.schema import Json
from ftrl.rewards import TaskFacts
from ftrl.sandbox import Call, CallResult, CallStatus
from ftrl.tool_calls import ParsedCall

SHOWN = 160
"""Characters of an output that evidence quotes."""


class Purpose(str, Enum):
    """Why a call was made: what it knows of the task."""

    NO_ARGUMENTS = "no_arguments"
    NONSENSE = "nonsense"
    WRONG_TYPES = "wrong_types"
    CHOICES = "choices"
    """A value from each of the document's lists, nonsense for the rest."""
    WILDCARD = "wildcard"
    QUESTION = "question"
    """The whole question as every text."""
    ECHO = "echo"
    """The gold itself as an argument."""
    GOLD_AS_NAME = "gold_as_name"
    """The gold itself as the name of an argument."""
    GUESS_AS_NAME = "guess_as_name"
    """One fixed text of common answers as the name of an argument."""
    GOLDEN = "golden"
    """The trace's own call."""


BLIND = frozenset({Purpose.NO_ARGUMENTS, Purpose.NONSENSE, Purpose.WRONG_TYPES, Purpose.CHOICES, Purpose.WILDCARD})
"""Calls that need neither the question nor a gold."""

STOPPED = frozenset({CallStatus.TIMEOUT, CallStatus.MEMORY, CallStatus.OUTPUT_LIMIT, CallStatus.CRASHED})
"""Ends of calls that the sandbox puts an end to."""


@dataclass(frozen=True)
class Attempt:
    """A call to be made.

    Attributes:
        tool: which tool.
        arguments: its arguments.
        purpose: why.
        gold: the gold that it knows, if it knows one.
        about: the parameter that it tries, or the id of the sub-question of a golden call.
    """

    tool: str
    arguments: dict[str, Json]
    purpose: Purpose
    gold: str | None = None
    about: str | None = None

    @property
    def parsed(self) -> ParsedCall:
        """As a model would make it."""
        return ParsedCall(self.tool, json.dumps(self.arguments, ensure_ascii=False))

    def call(self, source: str | None) -> Call:
        """As the sandbox takes it."""
        return Call(self.tool, self.parsed.arguments, source)


@dataclass(frozen=True)
class Trial:
    """An attempt and what came of it; ``again`` in another process, where it was made twice."""

    attempt: Attempt
    result: CallResult
    again: CallResult | None = None
    pays: dict[str, dict[str, float]] = field(default_factory=dict)
    """Gold → scoring profile → what it would pay for this call: 1 for a tick; golds that are not there are left out."""

    @property
    def ok(self) -> bool:
        """Whether the tool returned."""
        return self.result.status is CallStatus.OK

    @property
    def stopped(self) -> bool:
        """Whether the sandbox had to stop it, both times."""
        return all(result.status in STOPPED for result in (self.result, self.again) if result is not None)

    @property
    def seconds(self) -> float:
        """How long it took; of two runs the shorter one, since a busy machine makes no tool slow."""
        return min(result.seconds for result in (self.result, self.again) if result is not None)

    def __str__(self) -> str:
        pairs = self.attempt.arguments.items()
        given = ", ".join(f"{_cut(name)}={_cut(json.dumps(value, ensure_ascii=False))}" for name, value in pairs)
        return f"{self.attempt.tool}({given}) → {_cut(' '.join(self.result.output.split()), SHOWN)}"


def _cut(text: str, longest: int = SHOWN // 2) -> str:
    return text if len(text) <= longest else text[:longest] + " …"


@dataclass
class Subject:
    """One task under audit.

    Attributes:
        row: 0-based position among the tasks.
        environment: the task.
        sources: tool name → source, as far as there are sources.
        trials: every call that was made, in order.
        golden: scoring profile → index of a gold → what the golden calls, played in order, are paid for it.
    """

    row: int
    environment: Environment
    sources: Mapping[str, str]
    trials: list[Trial] = field(default_factory=list)
    golden: dict[str, dict[int, float]] = field(default_factory=dict)

    @cached_property
    def facts(self) -> TaskFacts:
        """What a scoring profile may know of the task."""
        return TaskFacts.of(self.environment)

    @cached_property
    def documents(self) -> dict[str, Json]:
        """Tool name → OpenAI function schema."""
        return {name: tool for tool in self.environment.tools if (name := tool_name(tool)) is not None}

    @cached_property
    def parameters(self) -> dict[str, Parameters]:
        """Tool name → what its document says of its parameters."""
        return {name: Parameters.of(document) for name, document in self.documents.items()}

    @cached_property
    def code(self) -> dict[str, Source]:
        """Tool name → its source, read."""
        return {name: read_source(name, source) for name, source in self.sources.items()}

    @cached_property
    def gold_tools(self) -> frozenset[str]:
        """Tools that some gold belongs to."""
        return frozenset(gold.tool for gold in self.environment.golds)

    @cached_property
    def golds(self) -> tuple[Gold, ...]:
        """The golds, each once."""
        return tuple({(gold.tool, gold.value): gold for gold in self.environment.golds}.values())

    def golds_of(self, tool: str) -> list[Gold]:
        """The golds of one tool, each once."""
        return [gold for gold in self.golds if gold.tool == tool]

    def trials_of(self, tool: str, *purposes: Purpose) -> Iterator[Trial]:
        """The calls of a tool that were made for one of these purposes; for any if none is named."""
        for trial in self.trials:
            if trial.attempt.tool == tool and (not purposes or trial.attempt.purpose in purposes):
                yield trial
