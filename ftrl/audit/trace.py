"""Whether honest work is paid: the golden calls of a trace, and golds that nothing could bring back."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.reach import unreachable_word
from ftrl.audit.subject import Purpose, Subject


def golden_call_misses(subject: Subject) -> Iterator[Finding]:
    """The golden calls of the trace, played in order, are not paid in full for a gold."""
    for index, gold in enumerate(subject.environment.golds):
        paid = {name: worths.get(index, 0.0) for name, worths in subject.golden.items()}
        if paid and min(paid.values()) < 1.0:
            own = list(subject.trials_of(gold.tool, Purpose.GOLDEN))
            # The one that is meant to bring it, or any of its tool.
            meant = [trial for trial in own if trial.attempt.gold == gold.value] or own
            yield Finding(
                probe="golden_call_misses",
                severity=Severity.HIGH if min(paid.values()) else Severity.SEVERE,
                tool=gold.tool,
                gold=gold.value,
                evidence=str(meant[0]) if meant else "the trace has no call of this tool",
                pays=paid,
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
