"""Which calls to make in order to audit a task."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.arguments import BASE, FILLERS, WILDCARDS
from ftrl.audit.subject import Attempt, Purpose, Subject
from ftrl.sandbox import CallStatus

COMMON_ANSWERS = " ".join(["yes no true false none", *map(str, range(101)), *map(str, range(1800, 2031))])
"""A text that knows nothing and holds many answers."""


def first_look(subject: Subject) -> Iterator[Attempt]:
    """A few calls of each tool that know nothing, and the golden calls. They are made twice."""
    for tool in subject.documents:
        yield Attempt(tool, {}, Purpose.NO_ARGUMENTS)
        for filler in FILLERS:
            parameters = subject.parameters[tool]
            arguments = parameters.filled(filler)
            # Where lists give away all that must be said, nonsense is beside the point: it is a matter of choosing.
            said = parameters.required or tuple(arguments)
            if not set(said) <= set(parameters.choices):
                yield Attempt(tool, arguments, Purpose.NONSENSE)
    for step in subject.environment.trace:
        yield Attempt(step.tool, dict(step.arguments), Purpose.GOLDEN, step.answer, step.id)


def closer_look(subject: Subject) -> Iterator[Attempt]:
    """Many more calls of the tools that golds belong to, but of those that hang: they are found out already."""
    stopped = [trial for trial in subject.trials if trial.stopped]
    hanging = {trial.attempt.tool for trial in stopped if trial.result.status is CallStatus.TIMEOUT}
    for tool in subject.documents:
        if tool in subject.gold_tools and tool not in hanging:
            yield from _knowing_nothing(subject, tool)
            yield from _knowing_the_gold(subject, tool)


def _knowing_nothing(subject: Subject, tool: str) -> Iterator[Attempt]:
    parameters = subject.parameters[tool]
    for arguments in parameters.wrongly_typed():
        yield Attempt(tool, arguments, Purpose.WRONG_TYPES)
    for arguments in parameters.every_choice():
        yield Attempt(tool, arguments, Purpose.CHOICES)
    required_texts = [name for name in parameters.texts if name in parameters.required]
    if required_texts:
        base = parameters.filled(BASE)
        for text in WILDCARDS:
            filled = {name: parameters.with_text(name, text) for name in required_texts}
            yield Attempt(tool, {**base, **filled}, Purpose.WILDCARD)
        question = subject.environment.question
        filled = {name: parameters.with_text(name, question) for name in required_texts}
        yield Attempt(tool, {**base, **filled}, Purpose.QUESTION)
    yield Attempt(tool, {COMMON_ANSWERS: 1}, Purpose.GUESS_AS_NAME)


def _knowing_the_gold(subject: Subject, tool: str) -> Iterator[Attempt]:
    parameters = subject.parameters[tool]
    base = parameters.filled(BASE)
    for gold in subject.golds_of(tool):
        yield Attempt(tool, {gold.value: 1}, Purpose.GOLD_AS_NAME, gold.value)
        for name in parameters.schemas:
            for value in parameters.holding(name, gold.value):
                yield Attempt(tool, {**base, name: value}, Purpose.ECHO, gold.value, name)
