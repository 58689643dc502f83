"""Acceptance rules that reading alone can decide: trace, question, documents, code."""

from __future__ import annotations

import ast
import json
from typing import Any

from ftrl.environments.schema import Environment, Scenario, SubQuestion
from ftrl.environments.trace import waves
from ftrl.rewards import matches_reference
from ftrl.synthesis.candidate import Candidate

Finding = tuple[str, str]
"""The rule that is broken, and how."""

_FORBIDDEN_NAMES = ("eval", "exec", "compile", "open", "input", "__import__", "globals", "getattr", "setattr")


def read(candidate: Candidate) -> Finding | None:
    """The first rule that the candidate's texts break, if they break one."""
    environment = candidate.environment
    names = [tool["function"]["name"] for tool in environment.tools]
    if len(set(names)) < len(names):
        return "same_tool_name", f"the tools are {', '.join(names)}"
    finding = _trace(environment) or _leaks(environment)
    for tool in environment.tools:
        finding = finding or _document(tool) or _code(tool, candidate.deployments[tool["function"]["name"]].source)
    return finding


def _trace(environment: Environment) -> Finding | None:
    trace = environment.trace
    answers = {step.id: step.answer for step in trace}
    try:
        rounds = waves(trace)
    except ValueError as error:
        return "dependencies_not_acyclic", str(error)
    deep = environment.scenario in (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)
    wide = environment.scenario in (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP)
    if (len(rounds) > 1) != deep or (len(rounds[0]) > 1) != wide:
        shape = " then ".join(str(len(wave)) for wave in rounds)
        return "scenario_does_not_fit", f"{environment.scenario.value} with rounds of {shape} calls"
    if len(set(answers.values())) < len(answers):
        return "same_answer_twice", f"the answers are {', '.join(answers.values())}"
    for step in trace:
        if finding := _dependencies(step, answers):
            return finding
    return None


def _dependencies(step: SubQuestion, answers: dict[str, str]) -> Finding | None:
    given = [str(value) for value in step.arguments.values()]
    for before in step.depends_on:
        if answers[before] not in given:
            return "dependency_not_real", f"{step.id} depends on {before} but does not take its answer"
        if matches_reference(step.text, answers[before]):
            return "sub_question_tells_answer", f"{step.id} contains the answer of {before}"
    return None


def _leaks(environment: Environment) -> Finding | None:
    documents = json.dumps(environment.tools, ensure_ascii=False)
    for gold in environment.golds:
        if matches_reference(environment.question, gold.value):
            return "gold_in_question", f"the question contains {gold.value}"
        if matches_reference(documents, gold.value):
            return "gold_in_document", f"the tool documents contain {gold.value}"
    for step in environment.trace:
        if matches_reference(documents, str(next(iter(step.arguments.values())))):
            return "argument_in_document", f"the tool documents contain the argument of {step.id}"
        if not step.depends_on and not all(str(value) in environment.question for value in step.arguments.values()):
            return "argument_not_in_question", f"the question does not say what {step.id} is about"
    return None


def _document(tool: dict[str, Any]) -> Finding | None:
    function = tool["function"]
    name, parameters = function["name"], function["parameters"]
    if not name.isidentifier() or not function["description"]:
        return "document_incomplete", f"{name}: no usable name or no description"
    for parameter, schema in parameters["properties"].items():
        if not schema.get("description") or not schema.get("type"):
            return "document_incomplete", f"{name}: the parameter {parameter} lacks its type or description"
    if not set(parameters["required"]) <= set(parameters["properties"]):
        return "document_incomplete", f"{name}: a required parameter is not described"
    return None


def _code(tool: dict[str, Any], source: str) -> Finding | None:
    function = tool["function"]
    name, properties = function["name"], function["parameters"]["properties"]
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        return "code_does_not_parse", f"{name}: {error.msg}"
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != name:
        return "not_one_function", f"{name}: the source must be one function of that name"
    arguments = body[0].args
    names = [argument.arg for argument in arguments.args]
    required = names[: len(names) - len(arguments.defaults)]
    star = arguments.vararg or arguments.kwarg or arguments.posonlyargs or arguments.kwonlyargs
    if star or names != list(properties) or required != function["parameters"]["required"]:
        return (
            "signature_differs",
            f"{name}: the function takes {names}, the document says {list(properties)}",
        )
    for node in ast.walk(body[0]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return "code_imports", f"{name}: tools of the tables generator import nothing"
        if isinstance(node, ast.Name) and node.id in _FORBIDDEN_NAMES:
            return "code_forbidden", f"{name}: uses {node.id}"
    return None
