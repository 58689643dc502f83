"""Stage 5, localised deployment: each document becomes one Python function that stands alone.

The function holds a small table: what the question asks for, and other entries of the same relation around
it. It does what its document says, refuses everything else with an error that names the argument but never
repeats a value, and never returns what it was given: a tool that echoes would pay for guesses (paper,
section 3.1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.document import Parameter, ToolDocument
from ftrl.synthesis.integrate import Toolset
from ftrl.synthesis.relations import Quantity, Relation
from ftrl.synthesis.scale import DETAIL, IGNORE_CASE, NAME_ORDER, ROUND_TO
from ftrl.synthesis.style import Style
from ftrl.synthesis.world import POPULATION, Entity, World


@dataclass(frozen=True)
class Deployment:
    """A tool that runs.

    Attributes:
        source: one function, named as the document says.
        known: calls that the tool must answer, each with its arguments; ``verify`` tries them.
    """

    source: str
    known: tuple[dict[str, Any], ...]


def deploy(
    decomposition: Decomposition, toolset: Toolset, world: World, style: Style, rng: Random
) -> dict[str, Deployment]:
    """Write the code of every tool: tool name to deployment, in the order of the documents.

    A tool knows every entity of its kind that the question touches, distractors included: a wrong tool
    answers the right entity's name with something else, as it would in life.
    """
    touched: list[Entity] = []
    for step in decomposition.steps:
        for entity in (step.fact.subject, step.fact.target):
            if entity is not None and entity not in touched:
                touched.append(entity)
    return {tool.name: _deploy(tool, touched, world, style, rng) for tool in toolset.documents}


def _deploy(tool: ToolDocument, touched: list[Entity], world: World, style: Style, rng: Random) -> Deployment:
    relation = tool.relation
    subjects = [entity for entity in touched if entity.kind == relation.subject]
    while len(subjects) < style.records:
        stranger = world.entity(relation.subject, rng.randrange(POPULATION))
        if stranger not in subjects:
            subjects.append(stranger)
    rng.shuffle(subjects)
    table = {subject.name: world.fact(relation, subject).value for subject in subjects}
    argument = tool.parameters[0].name
    return Deployment(_source(tool, table, rng), tuple({argument: subject.name} for subject in subjects))


def _source(tool: ToolDocument, table: dict[str, str], rng: Random) -> str:
    relation = tool.relation
    subject, *options = tool.parameters
    name, kind = subject.name, relation.subject.noun
    is_quantity = isinstance(relation.object, Quantity)
    label = relation.nouns[0].replace(" ", "_")
    records = rng.choice(("records", "known", "register", "table"))
    entries = [f"{_quote(key)}: {value if is_quantity else _quote(value)}," for key, value in table.items()]
    wrong_type = rng.choice((f"{name} must be a string", f"expected {name} to be a string", f"{name} is not a string"))
    unknown = rng.choice((f"no record of a {kind} by that name", f"there is no such {kind}", f"unknown {kind}"))
    lines = [
        f"{records} = {{",
        *(f"    {entry}" for entry in entries),
        "}",
        f"if not isinstance({name}, str):",
        f"    raise TypeError({_quote(wrong_type)})",
        *(line for option in options for line in _validation(option)),
        f"key = {name}.strip()",
        *(_IGNORE_CASE.format(records=records).splitlines() if IGNORE_CASE in options else ()),
        f"if key not in {records}:",
        f"    raise LookupError({_quote(unknown)})",
        f"{'number' if is_quantity else 'answer'} = {records}[key]",
        *_effects(options),
        *_result(label, options, relation, rng),
    ]
    signature = ", ".join([name, *(f"{option.name}={option.default!r}" for option in options)])
    body = "\n".join(f"    {line}" for line in lines)
    return f'def {tool.name}({signature}):\n    """{tool.description}"""\n{body}\n'


def _validation(option: Parameter) -> list[str]:
    if option.enum:
        choices = "(" + ", ".join(_quote(choice) for choice in option.enum) + ")"
        message = f"{option.name} must be one of: {', '.join(option.enum)}"
        return [f"if {option.name} not in {choices}:", f"    raise ValueError({_quote(message)})"]
    if option.type == "boolean":
        message = f"{option.name} must be true or false"
        return [f"if not isinstance({option.name}, bool):", f"    raise TypeError({_quote(message)})"]
    message = f"{option.name} must be a whole number of at least 1"
    test = f"isinstance({option.name}, bool) or not isinstance({option.name}, int) or {option.name} < 1"
    return [f"if {test}:", f"    raise ValueError({_quote(message)})"]


_IGNORE_CASE = """\
if ignore_case:
    key = next((name for name in {records} if name.lower() == key.lower()), key)"""


def _effects(options: list[Parameter]) -> list[str]:
    lines = []
    if ROUND_TO in options:
        lines.append("number = round(number / round_to) * round_to")
    if NAME_ORDER in options:
        lines += ['if name_order == "family_first":', '    answer = ", ".join(reversed(answer.split()))']
    return lines


def _result(label: str, options: list[Parameter], relation: Relation, rng: Random) -> list[str]:
    is_quantity = isinstance(relation.object, Quantity)
    variable = "number" if is_quantity else "answer"
    returned = rng.choice((variable, f"{{{_quote(label)}: {variable}}}", f"{{{_quote(label)}: {variable}}}"))
    if DETAIL not in options:
        return [f"return {returned}"]
    if isinstance(relation.object, Quantity):
        extra = f'"unit": {_quote(relation.object.unit or "year")}'
    else:
        extra = f'"kind": {_quote(relation.object.noun)}'
    record = f"{{{_quote(label)}: {variable}, {extra}}}"
    return ['if detail == "record":', f"    return {record}", f"return {returned}"]


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
