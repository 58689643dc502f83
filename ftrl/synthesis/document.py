"""Stage 2, document generation: tools, and the calls that answer the sub-questions; when that is accepted."""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterator, Sequence
from functools import lru_cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from ftrl.environments.schema import Json, Record, SubQuestion
from ftrl.rewards.tokens import fold, tokens_of
from ftrl.synthesis.conclusion import day_in, days_in
from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.finding import Finding, tells
from ftrl.synthesis.names import names_broken

NEAR = 0.85
"""Documents that share so much of their words are near-duplicates."""


class GoldenCall(Record):
    """The call that answers a sub-question."""

    step: str
    tool: str
    arguments: dict[str, Json]


class Toolset(Record):
    """The product of this stage, and, changed, of the two after it.

    Attributes:
        decomposition: what is asked.
        tools: OpenAI function schemas.
        calls: one for each step, in their order.
        distractors: names of tools that no call needs.
    """

    decomposition: Decomposition
    tools: tuple[dict[str, Json], ...]
    calls: tuple[GoldenCall, ...]
    distractors: tuple[str, ...] = ()

    @property
    def trace(self) -> tuple[SubQuestion, ...]:
        """Each step with its call, as an environment keeps them."""
        calls = {call.step: call for call in self.calls}
        return tuple(
            SubQuestion(**step.model_dump(), tool=calls[step.id].tool, arguments=calls[step.id].arguments)
            for step in self.decomposition.steps
        )


def toolset_broken(made: Toolset) -> Finding | None:
    """The first rule that a toolset breaks, if it breaks one: the rules that hold behind every stage."""
    return next(_findings(made), None)


def _findings(made: Toolset) -> Iterator[Finding]:
    names = [tool["function"]["name"] for tool in made.tools]
    if len(set(names)) < len(names):
        yield "same_tool_name", f"the tools are {', '.join(names)}"
    for tool in made.tools:
        yield from document_broken(tool)
    yield from _one_call_each(made)
    yield from calls_broken(made.trace, made.tools, made.distractors)
    yield from arguments_broken(made.decomposition.question, made.trace, made.tools)
    yield from names_broken(made.trace, made.tools)
    yield from leaks(made.trace, made.tools)


def document_broken(tool: dict[str, Json]) -> Iterator[Finding]:
    """What is wrong with a tool's document, whatever it is for."""
    function = tool["function"]
    name, parameters = function["name"], function["parameters"]
    if not name.isidentifier() or keyword.iskeyword(name) or not function["description"]:
        yield "document_incomplete", f"{name}: no usable name or no description"
    if (fault := _schema_fault(json.dumps(parameters))) is not None:
        yield "not_a_json_schema", f"{name}: {fault}"
        return
    if not set(parameters["required"]) <= set(parameters["properties"]):
        yield "document_incomplete", f"{name}: a required parameter is not described"
    yield from _described(name, parameters)


@lru_cache(maxsize=4096)
def _schema_fault(text: str) -> str | None:
    """Why it is no JSON Schema; kept, since it takes milliseconds and documents of one make come again and again."""
    try:
        Draft202012Validator.check_schema(json.loads(text))
    except SchemaError as error:
        return str(error.message)[:200]
    return None


def _described(where: str, schema: dict[str, Json]) -> Iterator[Finding]:
    for parameter, inner in schema.get("properties", {}).items():
        if not inner.get("description") or not inner.get("type"):
            yield "document_incomplete", f"{where}: the parameter {parameter} lacks its type or description"
        if not parameter.isidentifier() or keyword.iskeyword(parameter):
            yield "document_incomplete", f"{where}: '{parameter}' can't be the name of a parameter"
        yield from _described(f"{where}.{parameter}", inner)
        yield from _described(f"{where}.{parameter}", inner.get("items", {}))


def _one_call_each(made: Toolset) -> Iterator[Finding]:
    called = [call.step for call in made.calls]
    for step in made.decomposition.steps:
        if called.count(step.id) != 1:
            yield "step_without_call", f"{step.id} needs exactly one call, and has {called.count(step.id)}"
    if surplus := sorted(set(called) - {step.id for step in made.decomposition.steps}):
        yield "step_without_call", f"there is no sub-question {', '.join(surplus)} to call for"


def calls_broken(
    trace: Sequence[SubQuestion], tools: Sequence[dict[str, Json]], distractors: Sequence[str] = ()
) -> Iterator[Finding]:
    """Whether each golden call is one that its document allows, and each is another one."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    seen: dict[str, str] = {}
    for step in trace:
        if step.tool not in schemas or step.tool in distractors:
            names = ", ".join(name for name in schemas if name not in distractors)
            yield "unknown_tool", f"the call of {step.id} is of {step.tool}; the tools are {names}"
            return
        errors = Draft202012Validator(closed(schemas[step.tool])).iter_errors(step.arguments)
        if (error := next(iter(errors), None)) is not None:
            where = "/".join(map(str, error.path)) or "the arguments"
            fault = f"the call of {step.id} does not fit {step.tool}: {where}: {error.message[:200]}"
            yield "golden_call_invalid", fault
        key = json.dumps([step.tool, step.arguments], sort_keys=True)
        if key in seen:
            yield "same_call_twice", f"{step.id} and {seen[key]} are the same call, so it can't answer both"
        seen[key] = step.id
    unused = set(schemas) - set(distractors) - {step.tool for step in trace}
    if unused:
        yield "tool_without_call", f"no sub-question is answered by {', '.join(sorted(unused))}"


def arguments_broken(
    question: str, trace: Sequence[SubQuestion], tools: Sequence[dict[str, Json]]
) -> Iterator[Finding]:
    """Whether every argument comes from somewhere: the question, an earlier answer, or the document's own choices."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    for step in trace:
        answers = {before.id: before.answer for before in trace if before.id in step.depends_on}
        others = [each.answer for each in trace if each.id not in answers]
        choices = list(choices_of(schemas[step.tool]))
        given = list(leaves_of(step.arguments))
        for name, answer in answers.items():
            if not any(same_value(value, answer) for value in given):
                yield (
                    "dependency_not_real",
                    f"the call of {step.id} must take the answer of {name} as it is, '{answer}'; its arguments are "
                    f"{json.dumps(step.arguments, ensure_ascii=False)}",
                )
        for value in given:
            known = any(same_value(value, answer) for answer in answers.values())
            if known or isinstance(value, bool) or value in choices:
                continue
            if any(same_value(value, other) for other in others):
                fault = f"the call of {step.id} takes '{value}', an answer that it does not depend on"
                yield "argument_not_given", fault
            if not (tells(question, str(value)) or _tells_date(question, str(value))):
                yield (
                    "argument_not_given",
                    f"the call of {step.id} takes '{value}', which neither stands in the question, written the same "
                    f"way, nor is an answer that {step.id} depends on, nor a choice or default of the document",
                )


def leaks(trace: Sequence[SubQuestion], tools: Sequence[dict[str, Json]]) -> Iterator[Finding]:
    """Whether a document tells an answer, or what it would have to be asked for."""
    choices = {tool["function"]["name"]: list(choices_of(tool["function"]["parameters"])) for tool in tools}
    for tool in tools:
        name = tool["function"]["name"]
        text = json.dumps(tool, ensure_ascii=False)
        for step in trace:
            if tells(text, step.answer):
                yield "gold_in_document", f"the document of {name} contains {step.answer}, the answer of {step.id}"
        for step in trace:
            # What a call chooses from its own document is no secret in any other.
            open_to_all = {str(choice) for choice in choices[step.tool] + choices[name]}
            for value in leaves_of(step.arguments):
                if isinstance(value, str) and value not in open_to_all and not _common(value) and tells(text, value):
                    fault = f"the document of {name} contains '{value}', an argument of the call of {step.id}"
                    yield "argument_in_document", fault


def _tells_date(text: str, value: str) -> bool:
    day = day_in(value)
    return day is not None and day in days_in(text)


def _common(value: str) -> bool:
    """A plain word, such as a unit or a kind of thing, may well stand in a document."""
    return value.isascii() and value.islower() and value.isalpha()


def leaves_of(value: Json) -> Iterator[Json]:
    """The plain values in a JSON value."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves_of(each)
    elif value is not None:
        yield value


def same_value(value: Json, answer: str) -> bool:
    """Whether an argument is an answer; numbers may be written as text or as a number."""
    if isinstance(value, bool):
        return False
    text = str(value)
    return fold(text) == fold(answer) or (isinstance(value, (int, float)) and tokens_of(text) == tokens_of(answer))


def choices_of(schema: dict[str, Json]) -> Iterator[Json]:
    """Values that a schema itself names: choices and defaults, at any depth."""
    yield from schema.get("enum", ())
    if isinstance(schema.get("default"), (str, int, float)):
        yield schema["default"]
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from choices_of(inner)


def closed(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema with unknown fields refused, at any depth."""
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {name: closed(inner) for name, inner in made["properties"].items()}
        made["additionalProperties"] = False
    if "items" in made:
        made["items"] = closed(made["items"])
    return made


def near_duplicates(tools: Sequence[dict[str, Json]]) -> Iterator[tuple[str, str]]:
    """Pairs of tools whose documents say the same, by name."""
    words = [(tool["function"]["name"], _words(tool)) for tool in tools]
    for index, (name, mine) in enumerate(words):
        for other, theirs in words[index + 1 :]:
            if len(mine & theirs) >= NEAR * len(mine | theirs):
                yield name, other


def _words(tool: dict[str, Json]) -> set[str]:
    """Of the name but for its verb, of the description, and of the names of parameters.

    Other descriptions of parameters are alike wherever conventions are kept, and of verbs there are many for one thing.
    """
    function = tool["function"]
    names = [function["name"].partition("_")[2], *function["parameters"]["properties"]]
    return set(tokens_of(" ".join([*names, function["description"]]).replace("_", " ")))
