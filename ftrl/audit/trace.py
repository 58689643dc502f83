"""Whether honest work is paid: the golden calls of a trace, and golds that nothing could bring back."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.paying import ticks
from ftrl.audit.reach import unreachable_word
from ftrl.audit.subject import Purpose, Subject


def golden_call_misses(subject: Subject) -> Iterator[Finding]:
    """A gold is ticked by none of the golden calls of the trace."""
    golden = [trial for trial in subject.trials if trial.attempt.purpose is Purpose.GOLDEN]
    if not golden:
        return
    for gold in subject.golds:
        own = [trial for trial in golden if trial.attempt.tool == gold.tool]
        each = [ticks(subject, trial, gold) for trial in own]
        paid = {name: any(one[name] for one in each) for name in (each[0] if each else {})}
        if not paid or not all(paid.values()):
            evidence = f"{own[0]}" if own else "the trace has no call of this tool"
            yield Finding(
                probe="golden_call_misses",
                severity=Severity.SEVERE,
                tool=gold.tool,
                gold=gold.value,
                evidence=evidence,
                ticks=paid,
            )


def unreachable_gold(subject: Subject) -> Iterator[Finding]:
    """No call could bring the gold: all that the tool returns stands in its source, and the gold does not."""
    for gold in subject.golds:
        source = subject.code.get(gold.tool)
        if source is not None and (word := unreachable_word(source, gold.value)) is not None:
            yield Finding(
                probe="unreachable_gold",
                severity=Severity.SEVERE,
                tool=gold.tool,
                gold=gold.value,
                evidence=f"the tool returns nothing but what stands in its source, and '{word}' does not",
            )
