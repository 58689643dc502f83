"""Acceptance rules that reading alone can decide: trace, question, documents, code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from ftrl.environments.schema import Environment, Json, SubQuestion
from ftrl.environments.trace import waves
from ftrl.rewards import matches_reference
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.decompose import same_answers, shape_broken
from ftrl.synthesis.deploy import asked_first, code_broken
from ftrl.synthesis.document import arguments_broken, calls_broken, document_broken, leaks, leaves_of, same_value
from ftrl.synthesis.finding import Finding, tells
from ftrl.synthesis.names import names_broken


def read(candidate: Candidate) -> Finding | None:
    """The first rule that the candidate's texts break, if they break one."""
    environment = candidate.environment
    names = [tool["function"]["name"] for tool in environment.tools]
    if len(set(names)) < len(names):
        return "same_tool_name", f"the tools are {', '.join(names)}"
    if missing := [step.tool for step in environment.trace if step.tool not in names]:
        return "unknown_tool", f"a sub-question is answered by {missing[0]}; the tools are {', '.join(names)}"
    finding = _trace(environment) or _leaks(environment, candidate.chosen)
    for tool in environment.tools:
        source = candidate.deployments[tool["function"]["name"]].source
        finding = finding or next(document_broken(tool), None) or next(code_broken(tool, source), None)
        if not candidate.chosen:
            finding = finding or next(asked_first(tool, source, environment.trace), None)
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
    given = list(_values(step.arguments))
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
        trace, tools = environment.trace, environment.tools
        found = chain(arguments_broken(environment.question, trace, tools), names_broken(trace, tools))
        return next(chain(found, leaks(trace, tools)), None)
    answers = {step.id: step.answer for step in environment.trace}
    for step in environment.trace:
        subject = next(leaves_of(step.arguments))
        before = [answers[name] for name in step.depends_on]
        for value in _free(step, environment):
            is_text = isinstance(value, str) or value == subject
            if is_text and tells(documents, str(value)):
                return "argument_in_document", f"the tool documents contain an argument of {step.id}"
            known = any(same_value(value, answer) or str(value) in answer.split() for answer in before)
            if not known and str(value) not in environment.question:
                return "argument_not_in_question", f"the question does not say what {step.id} is about"
    return None


def _free(step: SubQuestion, environment: Environment) -> Iterator[Json]:
    """The values of a call that its document does not list."""
    parameters = next(tool["function"]["parameters"] for tool in environment.tools if _name(tool) == step.tool)
    for name, value in step.arguments.items():
        if "enum" not in parameters["properties"].get(name, {}) and not isinstance(value, bool):
            yield from leaves_of(value)


def _values(arguments: dict[str, Json]) -> Iterator[Json]:
    """The plain values of a call, and the texts of each object as one: a person's names, say."""
    yield from leaves_of(arguments)
    for value in arguments.values():
        if isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values()):
            yield " ".join(value.values())


def _name(tool: dict[str, Json]) -> str:
    return str(tool["function"]["name"])


def _distractors(environment: Environment) -> list[str]:
    used = {step.tool for step in environment.trace}
    return [tool["function"]["name"] for tool in environment.tools if tool["function"]["name"] not in used]
