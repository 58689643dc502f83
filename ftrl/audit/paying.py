"""What every scoring profile there is would pay: for a call, for the golden calls, for a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ftrl.audit.findings import Severity
from ftrl.audit.subject import Purpose, Subject, Trial
from ftrl.environments import Gold
from ftrl.rewards import PROFILES, Context, Scoreboard, score_parsed
from ftrl.rewards.scoreboard import Considered
from ftrl.sandbox import Call, CallResult, CallStatus
from ftrl.tool_calls import ParsedCall

Run = Callable[[Sequence[Call]], list[CallResult]]
"""Makes calls in the sandbox."""

NOTHING = dict.fromkeys(PROFILES, 0.0)


@dataclass(frozen=True)
class _Claim:
    """A call that may be paid for a gold, considered by one profile."""

    subject: Subject
    trial: Trial
    gold: Gold
    profile: str
    board: Scoreboard
    considered: Considered


def settle_trials(subjects: Sequence[Subject], run: Run) -> None:
    """Find out what each profile would pay for each call that brought a gold of its tool; see ``Trial.pays``.

    A profile may want to make calls of its own before it decides: those of all claims are made together.
    """
    claims = [claim for subject in subjects for claim in _claims(subject)]
    probes = [_call(claim.subject, probe) for claim in claims for probe in claim.considered.probes]
    probed = iter(run(probes))
    for claim in claims:
        results = [next(probed) for _ in claim.considered.probes]
        scored = claim.board.settle(claim.considered, results)[0]
        # On this board the gold in question comes first.
        worth = scored.worth if scored.gold == 0 else 0.0
        claim.trial.pays.setdefault(claim.gold.value, dict(NOTHING))[claim.profile] = worth


def settle_golden_calls(subject: Subject, run: Run) -> None:
    """Play the golden calls of the trace, one a turn, and note what each profile pays; see ``Subject.golden``."""
    trials = {trial.attempt.about: trial for trial in subject.trials if trial.attempt.purpose is Purpose.GOLDEN}
    if not trials:
        return
    golds = [(gold.tool, gold.value) for gold in subject.environment.golds]
    for name, profile in PROFILES.items():
        board = Scoreboard(golds, profile, _context(subject))
        paid: dict[int, float] = {}
        for step in _in_order(subject):
            trial = trials[step]
            considered = board.consider([trial.attempt.parsed], [trial.result])
            probed = run([_call(subject, probe) for probe in considered.probes])
            for scored in board.settle(considered, probed):
                if scored.gold is not None:
                    paid[scored.gold] = scored.worth
        subject.golden[name] = paid


def pays(trial: Trial, gold: Gold) -> dict[str, float]:
    """Scoring profile → what it would pay for this call and this gold: 1 for a full tick, 0 for none."""
    return trial.pays.get(gold.value, NOTHING)


def pays_for_output(subject: Subject, gold: Gold, output: str, status: CallStatus) -> dict[str, float]:
    """The same for an output that no call of ours brought back."""
    call, result = ParsedCall(gold.tool, "{}"), CallResult(output, status, 0.0)
    paid = {}
    for name in PROFILES:
        scored = _board(subject, gold, name).record([call], [result])[0]
        paid[name] = scored.worth if scored.gold == 0 else 0.0
    return paid


def pays_for_text(subject: Subject, text: str) -> dict[str, float]:
    """Scoring profile → reward of a response that is this text, with all golds open; 0 where it is a penalty."""
    environment = subject.environment
    paid = {}
    for name, profile in PROFILES.items():
        score = score_parsed(
            profile.parser(text),
            [],
            environment.unsolved(),
            answer=environment.answer,
            profile=profile,
            context=_context(subject),
        )
        paid[name] = max(score.value, 0.0)
    return paid


def stands_in(text: str, gold: Gold) -> dict[str, bool]:
    """Scoring profile → whether its matcher finds the gold in this text, wherever the text came from."""
    return {name: profile.matches(text, gold.value) for name, profile in PROFILES.items()}


def certain(worst: Severity, found: dict[str, bool]) -> Severity:
    """``worst`` if every matcher finds the gold; one less if only a lax one does, by a part of a word or number."""
    if all(found.values()):
        return worst
    return list(Severity)[max(worst.rank - 1, 0)]


def _claims(subject: Subject) -> Iterator[_Claim]:
    for trial in subject.trials:
        for gold in subject.golds_of(trial.attempt.tool):
            if any(stands_in(trial.result.output, gold).values()):
                for name in PROFILES:
                    board = _board(subject, gold, name)
                    considered = board.consider([trial.attempt.parsed], [trial.result])
                    yield _Claim(subject, trial, gold, name, board, considered)


def _board(subject: Subject, gold: Gold, profile: str) -> Scoreboard:
    """A board with all golds open, this one first."""
    rest = [other for other in subject.golds if other != gold]
    return Scoreboard([(one.tool, one.value) for one in (gold, *rest)], PROFILES[profile], _context(subject))


def _context(subject: Subject) -> Context:
    return Context(subject.facts)


def _call(subject: Subject, probe: ParsedCall) -> Call:
    return Call(probe.name, probe.arguments, subject.sources.get(probe.name))


def _in_order(subject: Subject) -> Iterator[str]:
    """Ids of sub-questions, each after those that it depends on, as far as that is possible."""
    waiting = {step.id: step for step in subject.environment.trace}
    while waiting:
        ready = [name for name, step in waiting.items() if not set(step.depends_on) & set(waiting)]
        for name in ready or list(waiting):
            yield name
            del waiting[name]
