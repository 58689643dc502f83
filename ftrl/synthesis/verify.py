"""Stage 6, verification: what is written is read, what runs is run; whatever is not proven right is rejected.

``verify_text`` reads question, documents, trace and code. ``verify_calls`` tells which calls to make and judges
what comes back: each golden call is made as the trainer will make it, and once more among the others (``trial``).
``verify_whole`` scores what a perfect policy would do.
All calls of a batch of candidates go to the sandbox together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ftrl.errors import FtrlError
from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.trial import Outcome, Tried, trial_call, trial_outcomes
from ftrl.synthesis.verify_calls import Check, checks, judge
from ftrl.synthesis.verify_text import read
from ftrl.synthesis.verify_whole import golds_broken, trajectories_broken

_TOGETHER = 16
"""Candidates that are tried in one process of the sandbox: starting one takes longer than their calls."""

_TRIALS = 3
"""How often a call is made that the sandbox, by its own fault, does not run."""


@dataclass(frozen=True)
class Rejection:
    """Why a candidate was not accepted.

    Attributes:
        rule: the acceptance rule that it breaks, by name.
        detail: where and how, as a sentence.
        sent_back: answers of models that had been asked for again before, by stage and rule.
    """

    rule: str
    detail: str
    sent_back: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """A candidate that holds; ``calls`` counts the calls that proved it, by purpose."""

    calls: dict[str, int]


def verify(candidates: Sequence[Candidate], sandbox: Sandbox) -> list[Verified | Rejection]:
    """Judge candidates, in their order.

    Raises:
        FtrlError: the sandbox itself failed, again and again, on the same call.
    """
    findings = [read(candidate) or golds_broken(candidate.environment) for candidate in candidates]
    plans = [[] if finding else checks(candidate) for candidate, finding in zip(candidates, findings, strict=True)]
    for at, finding in _tried(candidates, plans, sandbox):
        findings[at] = finding
    sound = [at for at, finding in enumerate(findings) if finding is None]
    whole = trajectories_broken([candidates[at] for at in sound], lambda few: run_calls(few, sandbox))
    for at, finding in zip(sound, whole, strict=True):
        findings[at] = finding
    return [
        Rejection(*finding) if finding else Verified(_count(plan))
        for finding, plan in zip(findings, plans, strict=True)
    ]


def _tried(
    candidates: Sequence[Candidate], plans: Sequence[list[Check]], sandbox: Sandbox
) -> Iterator[tuple[int, Finding | None]]:
    """What the calls of the plans find: the place of each candidate that has a plan, and its finding."""
    places = [at for at, plan in enumerate(plans) if plan]
    golden = [golden_calls(candidates[at].sources, plans[at]) for at in places]
    groups = _groups(places, candidates)
    trials = [trial_call([_trial_of(candidates[at].sources, plans[at]) for at in group]) for group in groups]
    results = iter(run_calls([*(call for few in golden for call in few), *trials], sandbox))
    answered = {at: [next(results) for _ in few] for at, few in zip(places, golden, strict=True)}
    ended: dict[int, tuple[CallResult, list[Outcome] | None]] = {}
    alone = []
    for group, result in zip(groups, results, strict=True):
        outcomes = trial_outcomes(result)
        if outcomes is None and len(group) > 1:
            alone += group
        else:
            each_of: Sequence[list[Outcome] | None] = outcomes or [None]
            ended.update(zip(group, [(result, each) for each in each_of], strict=True))
    # One of them broke the trial of all; whoever it was does so again.
    again = run_calls([trial_call([_trial_of(candidates[at].sources, plans[at])]) for at in alone], sandbox)
    for at, result in zip(alone, again, strict=True):
        outcomes = trial_outcomes(result)
        ended[at] = (result, outcomes[0] if outcomes else None)
    for at in places:
        yield at, _judged(plans[at], answered[at], *ended[at], candidates[at].chosen)


def _groups(places: list[int], candidates: Sequence[Candidate]) -> list[list[int]]:
    """Which candidates are tried in one process. Code that a model wrote might leave traces, and is tried alone."""
    chosen = [at for at in places if candidates[at].chosen]
    together = [chosen[start : start + _TOGETHER] for start in range(0, len(chosen), _TOGETHER)]
    return [*together, *([at] for at in places if not candidates[at].chosen)]


def calls_for(sources: dict[str, str], plan: list[Check]) -> list[Call]:
    """The golden calls one by one, then all checks as one call; nothing for a plan of nothing."""
    return [*golden_calls(sources, plan), trial_call([_trial_of(sources, plan)])] if plan else []


def golden_calls(sources: dict[str, str], plan: list[Check]) -> list[Call]:
    """The golden calls of a plan, as a trainer makes them."""
    return [
        Call(check.tool, json.dumps(check.arguments, ensure_ascii=False), sources[check.tool])
        for check in plan
        if check.purpose == "golden"
    ]


def judge_all(plan: list[Check], results: list[CallResult], chosen: bool = True) -> Finding | None:
    """The first rule that is broken by what came of the calls of a plan.

    Args:
        plan: the checks, golden ones first.
        results: of the calls that ``calls_for`` made of it.
        chosen: see ``Candidate``.
    """
    *golden, last = results
    outcomes = trial_outcomes(last)
    return _judged(plan, golden, last, outcomes[0] if outcomes else None, chosen)


def _trial_of(sources: dict[str, str], plan: list[Check]) -> Tried:
    return sources, [(check.tool, check.arguments) for check in plan]


def _judged(
    plan: list[Check], golden: list[CallResult], trial: CallResult, outcomes: list[Outcome] | None, chosen: bool
) -> Finding | None:
    for check, result in zip(plan, golden, strict=False):
        if result.status != CallStatus.OK:
            return "golden_call_fails", f"{check.what}: {result.status.value}, {result.output[:200]}"
    if outcomes is None:
        return "trial_fails", f"the calls together: {trial.status.value}, {trial.output[:200]}"
    for check, outcome in zip(plan, outcomes, strict=True):
        if finding := judge(check, outcome, chosen):
            return finding
    for check, result, outcome in zip(plan, golden, outcomes, strict=False):
        if result.output != outcome.output:
            return "not_deterministic", f"{check.what} gave two different outputs"
    return None


def _count(plan: list[Check]) -> dict[str, int]:
    return dict(sorted(Counter(check.purpose for check in plan).items()))


def run_calls(calls: list[Call], sandbox: Sandbox) -> list[CallResult]:
    """The results of calls; those that the sandbox, by its own fault, did not run are made again.

    Raises:
        FtrlError: the sandbox itself failed, again and again, on the same call.
    """
    if not calls:
        return []
    results = sandbox.run(calls)
    for _ in range(_TRIALS - 1):
        failed = [index for index, result in enumerate(results) if result.status == CallStatus.INFRASTRUCTURE]
        if not failed:
            return results
        for index, result in zip(failed, sandbox.run([calls[index] for index in failed]), strict=True):
            results[index] = result
    if any(result.status == CallStatus.INFRASTRUCTURE for result in results):
        raise FtrlError(f"the sandbox failed {_TRIALS} times on one call; `ftrl doctor` tells what is missing")
    return results
