"""The same thing twice: tasks among tasks, tools within a task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.subject import Subject


def twin_tools(subject: Subject) -> Iterator[Finding]:
    """Two tools of a task have the same code under different names: a call of the wrong one brings the gold, unpaid."""
    first: dict[str, str] = {}
    for tool, source in subject.code.items():
        other = first.setdefault(source.shape, tool)
        if other != tool and source.function is not None:
            gold = tool in subject.gold_tools or other in subject.gold_tools
            yield Finding(
                probe="twin_tools",
                severity=Severity.HIGH if gold else Severity.LOW,
                tool=tool,
                evidence=f"its code is that of '{other}'",
            )


class Earlier:
    """The tasks seen so far, to tell when one comes again; about 300 bytes each."""

    def __init__(self) -> None:
        self._questions: dict[bytes, int] = {}
        self._contents: dict[bytes, int] = {}

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Note a task, and tell if it, or its question, came before."""
        environment = subject.environment
        question = " ".join(environment.question.casefold().split())
        content = json.dumps([question, sorted(environment.unsolved().items()), sorted(subject.sources.items())])
        same = self._contents.setdefault(_digest(content), subject.row)
        asked = self._questions.setdefault(_digest(question), subject.row)
        if same != subject.row:
            yield Finding(
                probe="same_task",
                severity=Severity.HIGH,
                evidence=f"question, golds and code are those of row {same}",
            )
        elif asked != subject.row:
            yield Finding(probe="same_question", severity=Severity.LOW, evidence=f"the question is that of row {asked}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
