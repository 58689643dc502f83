"""Golds for calls that know neither the question nor the gold."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.paying import certain, pays, stands_in
from ftrl.audit.subject import BLIND, Purpose, Subject, Trial
from ftrl.environments import Gold
from ftrl.sandbox import CallStatus


def no_arguments(subject: Subject) -> Iterator[Finding]:
    """A call with no arguments at all brings a gold."""
    for gold, paid in _paid(subject, Purpose.NO_ARGUMENTS):
        # A tool that has no parameter can't be called in any other way.
        worst = Severity.SEVERE if subject.parameters[gold.tool].schemas else Severity.LOW
        yield _finding("no_arguments", worst, gold, paid)


def nonsense_arguments(subject: Subject) -> Iterator[Finding]:
    """Nonsense of the right types brings a gold: the tool does not look at what it is asked."""
    for gold, paid in _paid(subject, Purpose.NONSENSE):
        yield _finding("nonsense_arguments", Severity.SEVERE, gold, paid)


def wrong_types(subject: Subject) -> Iterator[Finding]:
    """Arguments of wrong types bring a gold."""
    for gold, paid in _paid(subject, Purpose.WRONG_TYPES):
        yield _finding("wrong_types", Severity.SEVERE, gold, paid)


def every_choice(subject: Subject) -> Iterator[Finding]:
    """Going through the values that the document lists, with nonsense for all else, brings a gold."""
    for gold, paid in _paid(subject, Purpose.CHOICES):
        tried = [trial for trial in subject.trials_of(gold.tool, Purpose.CHOICES) if trial.ok]
        if subject.parameters[gold.tool].free:
            worst = Severity.SEVERE  # what the lists do not give away does not matter
        elif len(paid) == len(tried) > 1:
            worst = Severity.HIGH  # nor does what is chosen
        else:
            worst = Severity.LOW  # some choice must be the honest one
        yield _finding("every_choice", worst, gold, paid)


def wildcard(subject: Subject) -> Iterator[Finding]:
    """An empty text, a star, ``all`` or a single letter bring a gold: the tool shows all that it has."""
    for gold, paid in _paid(subject, Purpose.WILDCARD):
        yield _finding("wildcard", Severity.SEVERE, gold, paid)


def error_text(subject: Subject) -> Iterator[Finding]:
    """The text of an error that a call without knowledge meets holds a gold."""
    for gold in subject.golds:
        failed = [
            (trial, found)
            for trial in subject.trials_of(gold.tool, *BLIND)
            if trial.result.status is CallStatus.TOOL_ERROR
            and not knows(trial, gold)
            and any((found := stands_in(_message(trial), gold)).values())
        ]
        if failed:
            yield _finding("error_text", Severity.HIGH, gold, failed)


def question_as_argument(subject: Subject) -> Iterator[Finding]:
    """The whole question as an argument brings a gold: nothing has to be found in it first."""
    for gold, paid in _paid(subject, Purpose.QUESTION):
        yield _finding("question_as_argument", Severity.LOW, gold, paid)


def knows(trial: Trial, gold: Gold) -> bool:
    """Whether the call's own arguments hold the gold, so that its output may hold it for that reason alone."""
    return any(stands_in(trial.attempt.parsed.arguments, gold).values())


def _message(trial: Trial) -> str:
    """What the tool said when it failed, without what every failed call is introduced with."""
    return trial.result.output.partition(": ")[2]


_Paid = list[tuple[Trial, "dict[str, bool]"]]


def _paid(subject: Subject, purpose: Purpose) -> Iterator[tuple[Gold, _Paid]]:
    """Golds with the calls whose output holds them, by some profile's matcher."""
    for gold in subject.golds:
        paid = [
            (trial, found)
            for trial in subject.trials_of(gold.tool, purpose)
            if trial.ok
            and (purpose is Purpose.CHOICES or not knows(trial, gold))
            and any((found := stands_in(trial.result.output, gold)).values())
        ]
        if paid:
            yield gold, paid


def _finding(probe: str, worst: Severity, gold: Gold, paid: _Paid) -> Finding:
    every = [pays(trial, gold) for trial, _ in paid]
    # The call that is paid most, by the most matchers, is shown.
    trial, found = max(paid, key=lambda pair: (sum(pays(pair[0], gold).values()), sum(pair[1].values())))
    more = f" (and {len(paid) - 1} more such calls)" if len(paid) > 1 else ""
    return Finding(
        probe=probe,
        severity=certain(worst, found),
        tool=gold.tool,
        gold=gold.value,
        evidence=f"{trial}{more}",
        pays={name: max(one[name] for one in every) for name in found},
    )
