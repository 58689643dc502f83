"""How tools behave when they run, and what their sources reach for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.paying import stands_in
from ftrl.audit.source import Source
from ftrl.audit.subject import STOPPED, Purpose, Subject, Trial

SLOW_S = 0.1
"""A call that takes longer, twice, is slow."""

ENOUGH_CALLS = 3
"""Different arguments that must bring the same output before a tool counts as constant."""


def constant_tool(subject: Subject) -> Iterator[Finding]:
    """A tool gives the same output whatever it is asked."""
    for tool, source in subject.code.items():
        if tool not in subject.documents or not subject.parameters[tool].schemas:
            continue  # without parameters there is only one question
        returned = {trial.result.output for trial in subject.trials_of(tool) if trial.ok}
        asked = {trial.attempt.parsed.arguments for trial in subject.trials_of(tool) if trial.ok}
        if len(returned) > 1:
            continue
        # Calls that know nothing may all be told "not found": it takes the golden call, or the source, to be sure.
        golden = any(trial.ok for trial in subject.trials_of(tool, Purpose.GOLDEN))
        tells = any(any(stands_in(output, gold).values()) for output in returned for gold in subject.golds_of(tool))
        if (why := _always_the_same(source)) is None and (golden or tells) and len(asked) >= ENOUGH_CALLS:
            why = f"{len(asked)} different calls brought one output, {'the gold' if tells else 'a golden call too'}"
        if why is not None:
            yield _finding("constant_tool", subject, tool, why)


def non_deterministic(subject: Subject) -> Iterator[Finding]:
    """The same call, made in another process, brings another output; or the source reads the clock or chance."""
    for tool in subject.documents:
        for trial in subject.trials_of(tool):
            if trial.again is not None and _differ(trial):
                why = f"{trial}; in another process {' '.join(trial.again.output.split())[:160]}"
                yield _finding("non_deterministic", subject, tool, why)
                break
        else:
            if tool in subject.code and (reads := subject.code[tool].varying):
                # It may be for a parameter that the question never needs: seen in the source, not in an output.
                yield Finding(
                    probe="non_deterministic",
                    severity=Severity.LOW,
                    tool=tool,
                    evidence=f"{', '.join(reads)}; two runs agreed",
                )


def slow_tool(subject: Subject) -> Iterator[Finding]:
    """A call takes long, or the source waits."""
    for tool in subject.documents:
        slow = [trial for trial in subject.trials_of(tool) if trial.again is not None and trial.seconds > SLOW_S]
        if slow:
            worst = max(slow, key=lambda trial: trial.seconds)
            yield _finding("slow_tool", subject, tool, f"{worst.seconds:.2f} s for {worst}")
        elif tool in subject.code and (waits := subject.code[tool].waits):
            yield Finding(probe="slow_tool", severity=Severity.LOW, tool=tool, evidence=f"calls {', '.join(waits)}")


def stopped_tool(subject: Subject) -> Iterator[Finding]:
    """The sandbox had to stop a call: time, memory, length of output, or a process that ended by itself."""
    for tool in subject.documents:
        stopped = [trial for trial in subject.trials_of(tool) if trial.stopped]
        if stopped:
            statuses = ", ".join(sorted({trial.result.status.value for trial in stopped}))
            yield _finding("stopped_tool", subject, tool, f"{statuses} in {len(stopped)} calls: {stopped[0]}")


def reaches_outside(subject: Subject) -> Iterator[Finding]:
    """The source reaches for files, network, processes or the interpreter, none of which a tool has here."""
    for tool, source in subject.code.items():
        if source.outside:
            yield _finding("reaches_outside", subject, tool, ", ".join(source.outside))


def dynamic_code(subject: Subject) -> Iterator[Finding]:
    """The source makes code out of text (``eval``), which an argument may be, or uses the interpreter's inner names."""
    for tool, source in subject.code.items():
        if source.dynamic:
            yield _finding("dynamic_code", subject, tool, f"uses {', '.join(source.dynamic)}")


def _always_the_same(source: Source) -> str | None:
    """Why the source can have one output only, if it can be told."""
    function = source.function
    if function is None:
        return None
    returned = {ast.dump(node.value) for node in ast.walk(function) if isinstance(node, ast.Return) and node.value}
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    if source.signature and source.signature.defaults and not names & set(source.signature.defaults):
        return "the source looks at none of its parameters"
    constant = all(
        all(isinstance(inner, (ast.Constant, ast.Dict, ast.List, ast.Load)) for inner in ast.walk(node.value))
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value
    )
    if len(returned) == 1 and constant and not _may_fall_through(function):
        return "all that the source returns is one constant"
    return None


def _may_fall_through(function: ast.FunctionDef) -> bool:
    """Whether the function may end without its last statement returning, or by raising: a second kind of answer."""
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))
    return raises or not isinstance(function.body[-1], ast.Return)


def _differ(trial: Trial) -> bool:
    again = trial.again
    if again is None or trial.result.status in STOPPED or again.status in STOPPED:
        return False  # time and memory are the machine's too: ``stopped_tool`` tells
    return (trial.result.output, trial.result.status) != (again.output, again.status)


def _finding(probe: str, subject: Subject, tool: str, evidence: str) -> Finding:
    """High for a tool that golds belong to, low for any other."""
    severity = Severity.HIGH if tool in subject.gold_tools else Severity.LOW
    return Finding(probe=probe, severity=severity, tool=tool, evidence=evidence)
