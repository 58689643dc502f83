"""Auditing: make the calls, ask every probe."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from ftrl.audit.attempts import closer_look, first_look
from ftrl.audit.duplicates import Earlier
from ftrl.audit.findings import TaskAudit
from ftrl.audit.paying import settle_golden_calls, settle_trials
from ftrl.audit.probes import PROBES
from ftrl.audit.subject import STOPPED, Attempt, Subject, Trial
from ftrl.environments import Environment, Tasks
from ftrl.errors import FtrlError
from ftrl.sandbox import Call, CallResult, CallStatus, Limits, Sandbox

LIMITS = Limits(seconds=2.0, output_bytes=128 * 1024)
"""What a call of an audit may use: a tool that needs more is found out, and holds nothing up."""

TOGETHER = 4
"""Tasks whose calls are made together, and whose outputs are held."""

TRIES = 3
"""How often a call is made that the sandbox, by its own fault, does not run."""

QUESTION_SHOWN = 120


class Auditor:
    """Audits tasks, one after the other, and remembers which it has seen. Use it in a ``with`` block.

    Args:
        workers: sandbox workers; as many as there are cores if None.

    Raises:
        FtrlError: the sandbox cannot start here.
    """

    def __init__(self, workers: int | None = None) -> None:
        with contextlib.ExitStack() as stack:
            self._sandbox = stack.enter_context(Sandbox(workers, LIMITS, cache_bytes=0))
            # Calls are repeated in processes of their own: nothing is shared, neither memory nor a cache of results.
            self._other = stack.enter_context(Sandbox(workers, LIMITS, cache_bytes=0))
            self._stack = stack.pop_all()
        self._earlier = Earlier()
        self._rows = 0

    def __enter__(self) -> Auditor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def audit(self, environment: Environment, sources: Mapping[str, str]) -> TaskAudit:
        """Everything that is wrong with one task; it counts as the next row.

        Args:
            environment: the task.
            sources: tool name → source; tools without one are a finding.

        Raises:
            FtrlError: the sandbox failed, again and again, on the same call.
        """
        return self.audit_together([(environment, sources)])[0]

    def audit_together(self, tasks: Sequence[tuple[Environment, Mapping[str, str]]]) -> list[TaskAudit]:
        """The same for several tasks, whose calls are made together."""
        subjects = [Subject(self._rows + i, environment, sources) for i, (environment, sources) in enumerate(tasks)]
        self._rows += len(subjects)
        calls = [(subject, attempt) for subject in subjects for attempt in first_look(subject)]
        both = zip(calls, self._make(self._sandbox, calls), self._make(self._other, calls), strict=True)
        for (subject, attempt), result, again in both:
            subject.trials.append(Trial(attempt, result, again))
        calls = [(subject, attempt) for subject in subjects for attempt in closer_look(subject)]
        for (subject, attempt), result in zip(calls, self._make(self._sandbox, calls), strict=True):
            # A busy machine may stop a call too: the tool is to blame if it is stopped again.
            repeated = self._make(self._other, [(subject, attempt)])[0] if result.status in STOPPED else None
            subject.trials.append(Trial(attempt, result, repeated))
        settle_trials(subjects, self._probe)
        for subject in subjects:
            settle_golden_calls(subject, self._probe)
        return [self._judge(subject) for subject in subjects]

    def _judge(self, subject: Subject) -> TaskAudit:
        findings = [finding for probe in PROBES.values() for finding in probe(subject)]
        findings += self._earlier.findings(subject)
        findings.sort(key=lambda finding: -finding.severity.rank)
        environment = subject.environment
        return TaskAudit(
            row=subject.row,
            id=environment.id,
            question=_short(environment.question),
            golds=len(environment.golds),
            tools=len(environment.tools),
            calls=len(subject.trials) + sum(trial.again is not None for trial in subject.trials),
            findings=tuple(findings),
        )

    def _make(self, sandbox: Sandbox, attempts: Sequence[tuple[Subject, Attempt]]) -> list[CallResult]:
        return _run(sandbox, [attempt.call(subject.sources.get(attempt.tool)) for subject, attempt in attempts])

    def _probe(self, calls: Sequence[Call]) -> list[CallResult]:
        return _run(self._sandbox, calls)


def _run(sandbox: Sandbox, calls: Sequence[Call]) -> list[CallResult]:
    """Make calls; those that the sandbox, by its own fault, did not run are made again.

    Raises:
        FtrlError: it failed again and again.
    """
    results = sandbox.run(calls)
    for _ in range(TRIES - 1):
        failed = [index for index, result in enumerate(results) if result.status is CallStatus.INFRASTRUCTURE]
        if not failed:
            return results
        for index, result in zip(failed, sandbox.run([calls[index] for index in failed]), strict=True):
            results[index] = result
    if any(result.status is CallStatus.INFRASTRUCTURE for result in results):
        raise FtrlError(f"the sandbox failed {TRIES} times on one call; `ftrl doctor` tells what is missing")
    return results


def audit_tasks(tasks: Tasks, *, workers: int | None = None) -> Iterator[TaskAudit]:
    """Audit every task of a store or file, in order, holding a few at a time.

    Raises:
        InputError: a row of the file is no sound task.
        FtrlError: the sandbox cannot start, or keeps failing.
    """
    rows = ((environment, tasks.sources(environment)) for environment in tasks)
    with Auditor(workers) as auditor:
        while few := list(itertools.islice(rows, TOGETHER)):
            yield from auditor.audit_together(few)


def _short(question: str) -> str:
    """The end of the question, where it asks: what comes before is often the same for all."""
    text = " ".join(question.split())
    return text if len(text) <= QUESTION_SHOWN else "… " + text[-QUESTION_SHOWN:]
