"""Golds that can be read off, or guessed, without calling the tool that they belong to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from ftrl.audit.attempts import COMMON_ANSWERS
from ftrl.audit.blind import knows
from ftrl.audit.findings import Finding, Severity
from ftrl.audit.paying import certain, pays_for_text, stands_in
from ftrl.audit.subject import BLIND, Purpose, Subject
from ftrl.environments import Gold

SHORT = 2
"""Characters of a gold that many texts hold by chance."""


def short_gold(subject: Subject) -> Iterator[Finding]:
    """A gold has one or two characters: many outputs hold it by chance."""
    for gold in subject.golds:
        if len(gold.value.strip()) <= SHORT:
            yield _finding("short_gold", Severity.LOW, gold, f"'{gold.value}' is all that an output has to hold")


def repeated_gold(subject: Subject) -> Iterator[Finding]:
    """A tool has the same gold twice: the same call, made twice, is paid twice."""
    for (tool, value), count in Counter((gold.tool, gold.value) for gold in subject.environment.golds).items():
        if count > 1:
            yield _finding(
                "repeated_gold", Severity.LOW, Gold(tool=tool, value=value), f"'{value}' stands {count} times"
            )


def gold_in_question(subject: Subject) -> Iterator[Finding]:
    """The question holds a gold."""
    question = subject.environment.question
    for gold in subject.golds:
        if any((found := stands_in(question, gold)).values()):
            yield _finding("gold_in_question", certain(Severity.LOW, found), gold, _around(question, gold))


def gold_in_document(subject: Subject) -> Iterator[Finding]:
    """A tool's document holds a gold; its own tool's document gives it away, another's at least hints at it."""
    for gold in subject.golds:
        for tool, document in subject.documents.items():
            # Names of tools and parameters are no place where one looks for an answer.
            text = " ".join(_texts(document))
            if any((found := stands_in(text, gold)).values()):
                own = tool == gold.tool
                severity = certain(Severity.LOW, found) if own else Severity.INFO
                yield _finding("gold_in_document", severity, gold, f"{tool}: {_around(text, gold)}")
                break


def gold_in_other_output(subject: Subject) -> Iterator[Finding]:
    """Another tool's output tells a gold: for nothing, or on an earlier golden call, so that a hop can be skipped."""
    for gold in subject.golds:
        for trial in subject.trials:
            attempt = trial.attempt
            if not trial.ok or attempt.tool == gold.tool or attempt.gold == gold.value:
                continue
            blind = attempt.purpose in BLIND and not knows(trial, gold)
            if not blind and (attempt.purpose is not Purpose.GOLDEN or _handed_on(subject, attempt.about, gold)):
                continue
            if any((found := stands_in(trial.result.output, gold)).values()):
                yield _finding("gold_in_other_output", certain(Severity.HIGH, found), gold, str(trial))
                break


def answer_in_question(subject: Subject) -> Iterator[Finding]:
    """Repeating the question, without any call, is paid as the right answer."""
    evidence = f"the answer '{subject.environment.answer}' stands in the question"
    yield from _answered(subject, "answer_in_question", subject.environment.question, evidence)


def answer_guessed(subject: Subject) -> Iterator[Finding]:
    """One fixed text of numbers, years, yes and no is paid as the right answer."""
    evidence = f"the answer '{subject.environment.answer}' stands in a text of numbers, years, yes and no"
    yield from _answered(subject, "answer_guessed", COMMON_ANSWERS, evidence)


def _answered(subject: Subject, probe: str, text: str, evidence: str) -> Iterator[Finding]:
    if subject.environment.answer is not None:
        paid = pays_for_text(subject, text)
        if any(paid.values()):
            yield Finding(probe=probe, severity=Severity.LOW, evidence=evidence, pays=paid)


def _handed_on(subject: Subject, step_id: str | None, gold: Gold) -> bool:
    """Whether the golden call of this step itself takes the gold: it comes later, and may repeat what it was given."""
    return any(
        step.id == step_id and gold.value in map(str, step.arguments.values()) for step in subject.environment.trace
    )


def _texts(value: object) -> Iterator[str]:
    """Descriptions, listed values and defaults in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("description", "default", "title", "const") and not isinstance(inner, (dict, list)):
                yield str(inner)
            elif key in ("enum", "examples") and isinstance(inner, list):
                yield from (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in inner)
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _around(text: str, gold: Gold) -> str:
    """The place in the text where the gold's first part stands."""
    at = text.lower().find(gold.value.split(", ")[0].lower().strip())
    if at < 0:
        return f"'{gold.value}' in other words"
    start, end = max(at - 40, 0), at + len(gold.value) + 40
    return f"{'… ' if start else ''}{' '.join(text[start:end].split())}{' …' if end < len(text) else ''}"


def _finding(probe: str, severity: Severity, gold: Gold, evidence: str) -> Finding:
    return Finding(probe=probe, severity=severity, tool=gold.tool, gold=gold.value, evidence=evidence)
