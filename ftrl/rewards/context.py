"""What a strict scorer may know beside a response: the task, and the calls that came before.

The reference profile needs none of it. Without a context the strict profile checks what can be seen in the calls and
outputs alone: grounding, documents and completeness are then not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ftrl.environments import Environment, Gold, SubQuestion
from ftrl.rewards.tokens import Tokens, tokens_of

QUESTION_MARK = "Question:"
"""In published tasks the question proper follows this; before it stand instructions, the same in every task."""


@dataclass(frozen=True)
class Earlier:
    """A call of an earlier turn, and what the model was shown of its output."""

    name: str
    arguments: str
    output: str


class TaskFacts:
    """What is fixed for a task. Worth keeping where many responses to it are scored.

    Args:
        question: the user message.
        tools: OpenAI function schemas.
        golds: all golds of the task, in its order.
        trace: its sub-questions; empty where they are not known.
    """

    def __init__(
        self,
        question: str,
        tools: Sequence[Mapping[str, Any]] = (),
        golds: Sequence[Gold] = (),
        trace: Sequence[SubQuestion] = (),
    ) -> None:
        self.question = question.rpartition(QUESTION_MARK)[2]
        self.golds = tuple(golds)
        self._steps = {step.id: step for step in trace}
        self._parameters: dict[str, Mapping[str, Any]] = {}
        for tool in tools:
            function = tool.get("function")
            if isinstance(function, Mapping) and isinstance(function.get("parameters"), Mapping):
                self._parameters[str(function.get("name"))] = function["parameters"]

    @classmethod
    def of(cls, environment: Environment) -> TaskFacts:
        """The facts of an environment's task."""
        return cls(environment.question, environment.tools, environment.golds, environment.trace)

    @cached_property
    def question_tokens(self) -> Tokens:
        """The words of the question."""
        return tokens_of(self.question)

    def document(self, tool: str) -> Mapping[str, Any] | None:
        """The JSON schema of a tool's parameters; None where there is no document."""
        return self._parameters.get(tool)

    @property
    def has_trace(self) -> bool:
        """Whether it is known which sub-question depends on which."""
        return bool(self._steps)

    def solved_values(self, unsolved: Mapping[str, Sequence[str]]) -> list[str]:
        """The golds that are no longer open: what earlier calls have brought back."""
        return [self.golds[index].value for index in self._solved(unsolved)]

    def ready(self, unsolved: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, int]]:
        """The open golds whose dependencies are solved, as (tool, position among the open golds of that tool).

        A gold without a sub-question waits for nothing.
        """
        solved = self._solved(unsolved)
        open_steps = {gold.sub_question for index, gold in enumerate(self.golds) if index not in solved}
        found: set[tuple[str, int]] = set()
        taken: dict[str, int] = {}
        for index, gold in enumerate(self.golds):
            if index in solved:
                continue
            position = taken.setdefault(gold.tool, 0)
            taken[gold.tool] += 1
            step = self._steps.get(gold.sub_question or "")
            if step is None or not open_steps.intersection(step.depends_on):
                found.add((gold.tool, position))
        return frozenset(found)

    def _solved(self, unsolved: Mapping[str, Sequence[str]]) -> set[int]:
        # Of golds that are alike, the first are solved first, as everywhere.
        left = {tool: list(values) for tool, values in unsolved.items()}
        solved: set[int] = set()
        for index in range(len(self.golds) - 1, -1, -1):
            gold = self.golds[index]
            values = left.get(gold.tool, [])
            if gold.value in values:
                values.remove(gold.value)
            else:
                solved.add(index)
        return solved


@dataclass(frozen=True)
class ScoredTask:
    """A task as a scorer of many responses keeps it.

    Attributes:
        sources: tool name to source.
        facts: what a strict scorer knows of it.
    """

    environment: Environment
    sources: Mapping[str, str]
    facts: TaskFacts

    @classmethod
    def of(cls, environment: Environment, sources: Mapping[str, str]) -> ScoredTask:
        """The task of an environment."""
        return cls(environment, sources, TaskFacts.of(environment))


@dataclass(frozen=True)
class Context:
    """The state in which a response was given.

    Attributes:
        task: what is fixed for its task.
        history: the calls of earlier turns, in order.
        shown: characters of an output that the model is shown; all if None. What was cut off cannot tick.
    """

    task: TaskFacts
    history: tuple[Earlier, ...] = ()
    shown: int | None = None

    @classmethod
    def of(cls, environment: Environment, history: Sequence[Earlier] = (), shown: int | None = None) -> Context:
        """The context of a response to this environment's task."""
        return cls(TaskFacts.of(environment), tuple(history), shown)

    def after(self, calls: Sequence[Earlier]) -> Context:
        """The same, some calls later."""
        return replace(self, history=self.history + tuple(calls))

    def visible(self, output: str) -> str:
        """What the model sees of an output."""
        return output if self.shown is None else output[: self.shown]
