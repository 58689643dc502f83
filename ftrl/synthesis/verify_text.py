"""Acceptance rules that reading alone can decide: trace, question, documents, code."""

from __future__ import annotations

import json

from ftrl.environments.schema import Environment, SubQuestion
from ftrl.environments.trace import waves
from ftrl.rewards import matches_reference
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.decompose import same_answers, shape_broken
from ftrl.synthesis.deploy import code_broken
from ftrl.synthesis.document import arguments_broken, calls_broken, document_broken, leaks, leaves_of, same_value
from ftrl.synthesis.finding import Finding, tells


def read(candidate: Candidate) -> Finding | None:
    """The first rule that the candidate's texts break, if they break one."""
    environment = candidate.environment
    names = [tool["function"]["name"] for tool in environment.tools]
    if len(set(names)) < len(names):
        return "same_tool_name", f"the tools are {', '.join(names)}"
    finding = _trace(environment) or _leaks(environment, candidate.chosen)
    for tool in environment.tools:
        source = candidate.deployments[tool["function"]["name"]].source
        finding = finding or next(document_broken(tool), None) or next(code_broken(tool, source), None)
    return finding or next(calls_broken(environment.trace, environment.tools, _distractors(environment)), None)


def _trace(environment: Environment) -> Finding | None:
    trace = environment.trace
    answers = {step.id: step.answer for step in trace}
    try:
        rounds = waves(trace)
    except ValueError as error:
        return "dependencies_not_acyclic", str(error)
    if finding := next(shape_broken(environment.scenario, [len(wave) for wave in rounds]), None):
        return finding
    if finding := next(same_answers(answers), None):
        return finding
    for step in trace:
        if finding := _dependencies(step, answers):
            return finding
    return None


def _dependencies(step: SubQuestion, answers: dict[str, str]) -> Finding | None:
    given = list(leaves_of(step.arguments))
    for before in step.depends_on:
        if not any(same_value(value, answers[before]) for value in given):
            return "dependency_not_real", f"{step.id} depends on {before} but does not take its answer"
        if matches_reference(step.text, answers[before]):
            return "sub_question_tells_answer", f"{step.id} contains the answer of {before}"
    return None


def _leaks(environment: Environment, chosen: bool) -> Finding | None:
    told = matches_reference if chosen else tells
    documents = json.dumps(environment.tools, ensure_ascii=False)
    for gold in environment.golds:
        if told(environment.question, gold.value):
            return "gold_in_question", f"the question contains {gold.value}"
        if told(documents, gold.value):
            return "gold_in_document", f"the tool documents contain {gold.value}"
    if not chosen:
        found = arguments_broken(environment.question, environment.trace, environment.tools)
        return next(found, None) or next(leaks(environment.trace, environment.tools), None)
    for step in environment.trace:
        if matches_reference(documents, str(next(iter(step.arguments.values())))):
            return "argument_in_document", f"the tool documents contain the argument of {step.id}"
        if not step.depends_on and not all(str(value) in environment.question for value in step.arguments.values()):
            return "argument_not_in_question", f"the question does not say what {step.id} is about"
    return None


def _distractors(environment: Environment) -> list[str]:
    used = {step.tool for step in environment.trace}
    return [tool["function"]["name"] for tool in environment.tools if tool["function"]["name"] not in used]
