"""Whether a call would be paid: asked of every scoring profile there is."""

from __future__ import annotations

from ftrl.audit.findings import Severity
from ftrl.audit.subject import Subject, Trial
from ftrl.environments import Gold
from ftrl.rewards import PROFILES, Scoreboard
from ftrl.sandbox import CallResult, CallStatus
from ftrl.tool_calls import ParsedCall


def ticks(subject: Subject, trial: Trial, gold: Gold) -> dict[str, bool]:
    """Scoring profile → whether this call alone would tick this gold."""
    return _ticks(trial.attempt.parsed, trial.result, gold)


def ticks_of_output(subject: Subject, output: str, status: CallStatus, gold: Gold) -> dict[str, bool]:
    """The same for an output that no call of ours brought back."""
    return _ticks(ParsedCall(gold.tool, "{}"), CallResult(output, status, 0.0), gold)


def _ticks(call: ParsedCall, result: CallResult, gold: Gold) -> dict[str, bool]:
    paid = {}
    for name, profile in PROFILES.items():
        board = Scoreboard([(gold.tool, gold.value)], profile)
        paid[name] = board.record([call], [result])[0].gold is not None
    return paid


def stands_in(text: str, gold: Gold) -> dict[str, bool]:
    """Scoring profile → whether its matcher finds the gold in this text, wherever the text came from."""
    return {name: profile.matches(text, gold.value) for name, profile in PROFILES.items()}


def certain(worst: Severity, found: dict[str, bool]) -> Severity:
    """``worst`` if every matcher finds the gold; one less if only a lax one does, by a part of a word or number."""
    if all(found.values()):
        return worst
    return list(Severity)[max(worst.rank - 1, 0)]
