"""Golds for calls that contain them already, and for texts of errors: what a scoring profile must not pay."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.paying import pays, pays_for_output, stands_in
from ftrl.audit.subject import Purpose, Subject
from ftrl.sandbox import CallStatus


def echo(subject: Subject) -> Iterator[Finding]:
    """The gold, put in as an argument, comes back: a guess is confirmed, whatever the tool knows.

    One finding for each pair of parameter and gold.
    """
    for gold in subject.golds:
        nonsense = subject.trials_of(gold.tool, Purpose.NONSENSE, Purpose.CHOICES)
        if any(trial.ok and any(stands_in(trial.result.output, gold).values()) for trial in nonsense):
            continue  # it comes back for anything
        for trial in subject.trials_of(gold.tool, Purpose.ECHO):
            if trial.attempt.gold == gold.value and trial.ok and any(stands_in(trial.result.output, gold).values()):
                yield Finding(
                    probe="echo",
                    severity=Severity.INFO,
                    tool=gold.tool,
                    gold=gold.value,
                    evidence=f"{trial.attempt.about}: {trial}",
                    pays=pays(trial, gold),
                )


def gold_as_name(subject: Subject) -> Iterator[Finding]:
    """The error text that refuses an argument repeats its name, which is the gold."""
    yield from _named(subject, "gold_as_name", Severity.INFO, Purpose.GOLD_AS_NAME)


def guess_as_name(subject: Subject) -> Iterator[Finding]:
    """The same with one fixed name made of numbers, years, yes and no: the gold is that easy to guess."""
    yield from _named(subject, "guess_as_name", Severity.LOW, Purpose.GUESS_AS_NAME)


def time_out_text(subject: Subject) -> Iterator[Finding]:
    """The published text of a time-out quotes the tool's source, and the gold stands in it."""
    for gold in subject.golds:
        source = subject.sources.get(gold.tool)
        if source is None:
            continue
        text = f"an error occured when call {gold.tool}: Function (args=({source!r},)) timed out after 10 seconds."
        if any(stands_in(text, gold).values()):
            yield Finding(
                probe="time_out_text",
                severity=Severity.INFO,
                tool=gold.tool,
                gold=gold.value,
                evidence="the gold stands in the tool's source; a time-out is never scored here",
                pays=pays_for_output(subject, gold, text, CallStatus.TIMEOUT),
            )


def _named(subject: Subject, probe: str, severity: Severity, purpose: Purpose) -> Iterator[Finding]:
    for gold in subject.golds:
        for trial in subject.trials_of(gold.tool, purpose):
            failed = trial.attempt.gold in (None, gold.value) and trial.result.status is CallStatus.TOOL_ERROR
            if failed and any(stands_in(trial.result.output, gold).values()):
                yield Finding(
                    probe=probe,
                    severity=severity,
                    tool=gold.tool,
                    gold=gold.value,
                    evidence=str(trial),
                    pays=pays(trial, gold),
                )
