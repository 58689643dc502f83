"""Stage 5, localised deployment: each document becomes one Python function that stands alone.

The function holds a small table: what the question asks for, and other entries of the same relation around
it. It does what its document says, refuses everything else with an error that names the argument but never
repeats a value, and never returns what it was given: a tool that echoes would pay for guesses (paper,
section 3.1).
"""

from __future__ import annotations

import json
from random import Random

from ftrl.synthesis.candidate import Deployment
from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.document import Parameter, ToolDocument
from ftrl.synthesis.tables.facts import Date, Entity, Fact, Facts, Kind, NothingToAsk, Quantity, Relation
from ftrl.synthesis.tables.integrate import Toolset
from ftrl.synthesis.tables.scale import DETAIL, IGNORE_CASE, NAME_ORDER, ROUND_TO
from ftrl.synthesis.tables.sound import stands_in
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.wording import a

FEWEST_RECORDS = 3
"""Entries of a tool's table; a table of less shows its answer to whoever looks at all."""


def deploy(
    decomposition: Decomposition, toolset: Toolset, facts: Facts, style: Style, rng: Random
) -> dict[str, Deployment]:
    """Write the code of every tool: tool name to deployment, in the order of the documents.

    A tool knows every entity of its kind that the question touches, distractors included: a wrong tool
    answers the right entity's name with something else, as it would in life.

    Raises:
        NothingToAsk: there is too little beside the question to fill a tool with.
    """
    golden = [step.fact for step in decomposition.steps]
    touched: list[Entity] = []
    for fact in golden:
        for entity in (fact.subject, fact.target):
            if entity is not None and entity not in touched:
                touched.append(entity)
    return {tool.name: _deploy(tool, golden, touched, facts, style, rng) for tool in toolset.documents}


def _deploy(
    tool: ToolDocument, golden: list[Fact], touched: list[Entity], facts: Facts, style: Style, rng: Random
) -> Deployment:
    relation = tool.relation
    kind = relation.subject
    known: dict[Entity, Fact] = {}
    waiting = [entity for entity in touched if entity.kind == kind]
    for _ in range(len(waiting) + 10 * style.records):
        if not waiting and len(known) >= style.records:
            break
        entity = waiting.pop(0) if waiting else facts.stranger(kind, rng)
        fact = None if entity in known else facts.fact(relation, entity)
        # Whoever else has the same to tell would be paid for: of them this tool does not know.
        if fact is not None and (fact in golden or not any(stands_in(fact.value, g.value) for g in golden)):
            known[entity] = fact
    if len(known) < FEWEST_RECORDS:
        raise NothingToAsk(f"too few have a {relation.nouns[0]} of their own ({relation.key})")
    subjects = list(known)
    rng.shuffle(subjects)
    table = {subject.argument: known[subject].value for subject in subjects}
    argument = tool.parameters[0].name
    return Deployment(_source(tool, table, rng), tuple({argument: subject.argument} for subject in subjects))


def _source(tool: ToolDocument, table: dict[str | int, str], rng: Random) -> str:
    relation = tool.relation
    subject, *options = tool.parameters
    name, kind = subject.name, relation.subject
    answer = relation.object
    is_number = isinstance(answer, Quantity) or (isinstance(answer, Kind) and answer.numbered)
    label = relation.nouns[0].replace(" ", "_")
    records = rng.choice(("records", "known", "register", "table"))
    entries = [f"{_literal(key)}: {value if is_number else _literal(value)}," for key, value in table.items()]
    thing = "a whole number" if kind.numbered else "a string"
    wrong_type = rng.choice((f"{name} must be {thing}", f"expected {name} to be {thing}", f"{name} is not {thing}"))
    unknown = rng.choice(
        (f"no record of {a(kind.noun)} by that {kind.called}", f"there is no such {kind.noun}", f"unknown {kind.noun}")
    )
    is_wrong = f"not isinstance({name}, str)"
    if kind.numbered:
        is_wrong = f"not isinstance({name}, int) or isinstance({name}, bool)"
    lines = [
        f"{records} = {{",
        *(f"    {entry}" for entry in entries),
        "}",
        f"if {is_wrong}:",
        f"    raise TypeError({_literal(wrong_type)})",
        *(line for option in options for line in _validation(option)),
        f"key = {name}" if kind.numbered else f"key = {name}.strip()",
        *(_IGNORE_CASE.format(records=records).splitlines() if IGNORE_CASE in options else ()),
        f"if key not in {records}:",
        f"    raise LookupError({_literal(unknown)})",
        f"{'number' if isinstance(answer, Quantity) else 'answer'} = {records}[key]",
        *_effects(options),
        *_result(label, options, relation, rng),
    ]
    signature = ", ".join([name, *(f"{option.name}={_default(option)}" for option in options)])
    body = "\n".join(f"    {line}" for line in lines)
    return f'def {tool.name}({signature}):\n    """{tool.description}"""\n{body}\n'


def _validation(option: Parameter) -> list[str]:
    if option.enum:
        choices = "(" + ", ".join(_literal(choice) for choice in option.enum) + ")"
        message = f"{option.name} must be one of: {', '.join(option.enum)}"
        return [f"if {option.name} not in {choices}:", f"    raise ValueError({_literal(message)})"]
    if option.type == "boolean":
        message = f"{option.name} must be true or false"
        return [f"if not isinstance({option.name}, bool):", f"    raise TypeError({_literal(message)})"]
    message = f"{option.name} must be a whole number of at least 1"
    test = f"isinstance({option.name}, bool) or not isinstance({option.name}, int) or {option.name} < 1"
    return [f"if {test}:", f"    raise ValueError({_literal(message)})"]


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
    variable = "number" if isinstance(relation.object, Quantity) else "answer"
    returned = rng.choice((variable, f"{{{_literal(label)}: {variable}}}", f"{{{_literal(label)}: {variable}}}"))
    if DETAIL not in options:
        return [f"return {returned}"]
    extra = f'"source": {_literal(f"{relation.subject.noun} register")}'
    if isinstance(relation.object, Quantity) and relation.object.unit:
        extra = f'"unit": {_literal(relation.object.unit)}'
    elif isinstance(relation.object, Date):
        extra = '"format": "YYYY-MM-DD"'
    elif isinstance(relation.object, Kind):
        extra = f'"kind": {_literal(relation.object.noun)}'
    record = f"{{{_literal(label)}: {variable}, {extra}}}"
    return ['if detail == "record":', f"    return {record}", f"return {returned}"]


def _default(option: Parameter) -> str:
    return _literal(option.default) if isinstance(option.default, str) else repr(option.default)


def _literal(value: str | int) -> str:
    # JSON writes texts as Python does, but for what no record holds: lone surrogates.
    return json.dumps(value, ensure_ascii=False)
