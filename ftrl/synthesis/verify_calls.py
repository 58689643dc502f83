"""Acceptance rules that need the tools to run.

A candidate becomes a list of checks: a call, and what must be true of its outcome. Golden calls must bring their
gold; everything else - other entities, other tools, broken arguments - must bring none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.environments.schema import SubQuestion
from ftrl.rewards import matches_reference, matches_strict
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.document import leaves_of, same_value
from ftrl.synthesis.finding import Finding, tells
from ftrl.synthesis.trial import Outcome

SLOWEST_S = 0.1
"""A tool that needs more CPU time than this for a golden call is rejected."""

_NUMBERS = (0, 1, 2, 10, 1000)
"""What an option that is a number is set to."""

NOBODY = "Qwyx Xwyq"
"""A name of nothing: no name of a world holds its letters."""


@dataclass(frozen=True)
class Check:
    """One call of a verification.

    Attributes:
        purpose: golden, option, counterfactual, distractor, or error.
        what: what is tried, for the reader of a rejection.
        returns: whether the tool must return (true) or raise (false); null where it may do either.
        not_golds: values that the output must not tick.
        gold: the value that it must tick.
    """

    tool: str
    arguments: dict[str, Any]
    purpose: str
    what: str
    returns: bool | None
    not_golds: tuple[str, ...]
    gold: str | None = None


def checks(candidate: Candidate) -> list[Check]:
    """Every call that has to be made to accept this candidate, golden ones first, in the order of the trace."""
    environment = candidate.environment
    plan = golden_checks(environment.trace)
    for tool in environment.tools:
        deployment = candidate.deployments[tool["function"]["name"]]
        plan += tool_checks(tool, environment.trace, deployment.known, deployment.near)
        plan += option_checks(tool, environment.trace, deciding=not candidate.chosen)
    return plan


def golden_checks(trace: Sequence[SubQuestion], tool: str | None = None) -> list[Check]:
    """The golden calls, of all tools or of one: each must bring its own answer and no other."""
    plan = []
    for step in trace:
        if tool in (None, step.tool):
            what = f"the golden call of {step.id}"
            plan.append(Check(step.tool, step.arguments, "golden", what, True, _others(step, trace), step.answer))
    return plan


def _others(step: SubQuestion, trace: Sequence[SubQuestion]) -> tuple[str, ...]:
    """The answers that a call of a step must not bring."""
    # Whoever makes the call knows its arguments; repeating them, another tool's answer, gives nothing away.
    known = {str(value) for value in leaves_of(step.arguments)}
    return tuple(
        each.answer
        for each in trace
        if each.answer != step.answer and (each.tool == step.tool or each.answer not in known)
    )


def option_checks(tool: dict[str, Any], trace: Sequence[SubQuestion], deciding: bool) -> list[Check]:
    """Golden calls of a tool with one parameter set otherwise: a second way to a gold makes them ambiguous.

    No option brings what another golden call is to find. The choice of a required parameter decides: no other choice
    brings the gold that it brings.

    Args:
        tool: its document.
        trace: all steps of the task.
        deciding: whether the choices of required parameters decide; where code is made from templates, some only say
            how the value is written.
    """
    name, parameters = tool["function"]["name"], tool["function"]["parameters"]
    golden = [step.arguments for step in trace if step.tool == name]
    plan = []
    for step in trace:
        for parameter, schema in parameters["properties"].items() if step.tool == name else ():
            decides = deciding and parameter in parameters["required"] and "enum" in schema
            not_golds = (*_others(step, trace), *([step.answer] if decides else []))
            for value in _settings(schema, step.arguments.get(parameter, schema.get("default"))):
                arguments = {**step.arguments, parameter: value}
                if not_golds and arguments not in golden:
                    what = f"the golden call of {step.id} with {parameter} set to {json.dumps(value)}"
                    plan.append(Check(name, arguments, "option", what, None, not_golds))
    return plan


def _settings(schema: dict[str, Any], now: Any) -> Iterator[Any]:
    """Other values of a parameter, where its type tells some."""
    choices = schema["items"].get("enum", []) if schema["type"] == "array" else schema.get("enum", [])
    possible: list[Any] = list(choices)
    if schema["type"] == "array" and choices:
        possible = [*([choice] for choice in choices), list(choices)]
    elif schema["type"] == "boolean":
        possible = [True, False]
    elif schema["type"] in ("integer", "number") and not choices:
        possible = list(_NUMBERS)
    yield from (value for value in possible if value != now)


def tool_checks(
    tool: dict[str, Any],
    trace: Sequence[SubQuestion],
    known: Sequence[dict[str, Any]],
    near: Sequence[dict[str, Any]] = (),
) -> list[Check]:
    """What must not bring a gold: one tool, asked about other things, wrongly, and about what others are asked.

    Args:
        tool: its document.
        trace: all steps of the task.
        known: calls that the tool must answer, at least one.
        near: calls that may fail, and come close to a golden one without meaning the same.
    """
    golds = tuple(step.answer for step in trace)
    name = tool["function"]["name"]
    properties, required = tool["function"]["parameters"]["properties"], tool["function"]["parameters"]["required"]
    used = [step.arguments for step in trace if step.tool == name]
    strangers = [arguments for arguments in known if arguments not in used]
    purpose = "counterfactual" if used else "distractor"
    what = f"{name} asked about something else"
    plan = []
    for arguments in strangers:
        # A tool that no call needs may repeat what it was asked about, also where that is another tool's answer.
        said = (
            [] if used else [gold for gold in golds if any(same_value(value, gold) for value in leaves_of(arguments))]
        )
        plan.append(Check(name, arguments, purpose, what, True, tuple(gold for gold in golds if gold not in said)))
    plan += [Check(name, arguments, purpose, f"{name} asked almost the same", None, golds) for arguments in near]
    for way, arguments in _broken(properties, required, known[0]):
        plan.append(Check(name, arguments, "error", f"{name} with {way}", False, golds))
    always = {parameter: known[0][parameter] for parameter in required}
    return plan + _borrowed(name, next(iter(properties)), always, trace)


def _borrowed(name: str, subject: str, required: dict[str, Any], trace: Sequence[SubQuestion]) -> list[Check]:
    """What a tool says of the entities that golden calls of other tools are about."""
    plan: list[Check] = []
    what = f"{name} asked what is another tool's to tell"
    seen = []
    for step in trace:
        for value in _all_of(step.arguments) if step.tool != name else ():
            if value in seen:
                continue
            seen.append(value)
            own = [each.answer for each in trace if each.tool == name and value in _all_of(each.arguments)]
            # To repeat what it was asked, in an error, gives away nothing that a call of this tool is paid for.
            others = tuple(
                each.answer
                for each in trace
                if each.answer not in own and (each.tool == name or not same_value(value, each.answer))
            )
            # As it stands, too, where a list is wanted: what is checked too late may have answered before.
            forms = [[value], value] if isinstance(required.get(subject), list) else [value]
            plan += [Check(name, {**required, subject: form}, "distractor", what, None, others) for form in forms]
    return plan


def _all_of(arguments: dict[str, Any]) -> list[Any]:
    return [*arguments.values(), *leaves_of(arguments)]


def judge(check: Check, outcome: Outcome, chosen: bool = True) -> Finding | None:
    """The rule that the outcome breaks, if it breaks one.

    Args:
        check: what was tried.
        outcome: what came of it.
        chosen: see ``Candidate``.
    """
    if check.returns is not None and outcome.ok != check.returns:
        rule = "accepts_bad_arguments" if check.purpose == "error" else f"{check.purpose}_call_fails"
        return rule, f"{check.what}: {outcome.output[:200]}"
    if check.gold is not None and not (
        matches_reference(outcome.output, check.gold) and matches_strict(outcome.output, check.gold)
    ):
        return "golden_call_misses", f"{check.what} does not bring {check.gold}: {outcome.output[:200]}"
    for gold in check.not_golds:
        if (matches_reference if chosen else tells)(outcome.output, gold):
            return f"{check.purpose}_call_ticks", f"{check.what} brings {gold}: {outcome.output[:200]}"
    if check.purpose == "golden" and outcome.seconds > SLOWEST_S:
        return "too_slow", f"{check.what} took more than {SLOWEST_S} s"
    return None


def _broken(
    properties: dict[str, Any], required: Sequence[str], known: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Ways to call a tool wrongly, each with its arguments."""
    subject = next(iter(properties))
    ways: list[tuple[str, dict[str, Any]]] = [
        (f"no {subject}", {}),
        (f"a {subject} that nobody knows", {**known, subject: _nobody(known.get(subject))}),
        ("an argument that it does not have", {**known, "surplus": 1}),
    ]
    for name, value in known.items():
        if name != subject and name in required:
            ways.append((f"no {name}", {other: known[other] for other in known if other != name}))
            if isinstance(value, (str, dict, list)):
                ways.append((f"a {name} that makes no sense", {**known, name: _nobody(value)}))
    for name, schema in properties.items():
        # The right value in the wrong wrapping: a tool that merely fails to find it has not checked anything.
        right = known.get(name, schema.get("default"))
        wrong = [right] if schema["type"] != "array" else str(right)
        ways.append((f"a {name} of the wrong type", {**known, name: wrong}))
        if "enum" in schema:
            ways.append((f"a {name} that is no choice", {**known, name: NOBODY}))
    return ways


def _nobody(value: Any) -> Any:
    """A value of the same make that means nothing."""
    if isinstance(value, list):
        return [NOBODY]
    return {name: _nobody(inner) for name, inner in value.items()} if isinstance(value, dict) and value else NOBODY
