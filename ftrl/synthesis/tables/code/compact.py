"""The shortest tools: a dictionary of values, for policies that read every token with effort.

The quick start's policies are trained on what this writes; it changes only on purpose.
"""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables.code.voice import literal
from ftrl.synthesis.tables.facts import Date, Kind, Quantity, Relation
from ftrl.synthesis.tables.options import DETAIL, IGNORE_CASE, NAME_ORDER, ROUND_TO, SHORT
from ftrl.synthesis.tables.tool import Form, Parameter, Role, ToolDocument
from ftrl.synthesis.tables.wording import a


def is_short(tool: ToolDocument) -> bool:
    """Whether the tool takes no more than this shape understands."""
    subject, *options = tool.parameters
    plain = subject.role is Role.SUBJECT and subject.form is Form.PLAIN and tool.relation.query is None
    return plain and len(tool.relations) == 1 and all(option in SHORT for option in options)


def table_source(tool: ToolDocument, table: dict[str | int, str], rng: Random) -> str:
    """The code of a tool that knows one relation and takes little else, in one shape."""
    relation = tool.relation
    subject, *options = tool.parameters
    name, kind = subject.name, relation.subject
    answer = relation.object
    is_number = isinstance(answer, Quantity) or (isinstance(answer, Kind) and answer.numbered)
    label = relation.nouns[0].replace(" ", "_")
    records = rng.choice(("records", "known", "register", "table"))
    entries = [f"{literal(key)}: {value if is_number else literal(value)}," for key, value in table.items()]
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
        f"    raise TypeError({literal(wrong_type)})",
        *(line for option in options for line in _validation(option)),
        f"key = {name}" if kind.numbered else f"key = {name}.strip()",
        *(_IGNORE_CASE.format(records=records).splitlines() if IGNORE_CASE in options else ()),
        f"if key not in {records}:",
        f"    raise LookupError({literal(unknown)})",
        f"{'number' if isinstance(answer, Quantity) else 'answer'} = {records}[key]",
        *_effects(options),
        *_result(label, options, relation, rng),
    ]
    signature = ", ".join([name, *(f"{option.name}={_default(option)}" for option in options)])
    body = "\n".join(f"    {line}" for line in lines)
    return f'def {tool.name}({signature}):\n    """{tool.description}"""\n{body}\n'


def _validation(option: Parameter) -> list[str]:
    if option.enum:
        choices = "(" + ", ".join(literal(choice) for choice in option.enum) + ")"
        message = f"{option.name} must be one of: {', '.join(option.enum)}"
        return [f"if {option.name} not in {choices}:", f"    raise ValueError({literal(message)})"]
    if option.type == "boolean":
        message = f"{option.name} must be true or false"
        return [f"if not isinstance({option.name}, bool):", f"    raise TypeError({literal(message)})"]
    message = f"{option.name} must be a whole number of at least 1"
    test = f"isinstance({option.name}, bool) or not isinstance({option.name}, int) or {option.name} < 1"
    return [f"if {test}:", f"    raise ValueError({literal(message)})"]


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
    returned = rng.choice((variable, f"{{{literal(label)}: {variable}}}", f"{{{literal(label)}: {variable}}}"))
    if DETAIL not in options:
        return [f"return {returned}"]
    extra = f'"source": {literal(f"{relation.subject.noun} register")}'
    if isinstance(relation.object, Quantity) and relation.object.unit:
        extra = f'"unit": {literal(relation.object.unit)}'
    elif isinstance(relation.object, Date):
        extra = '"format": "YYYY-MM-DD"'
    elif isinstance(relation.object, Kind):
        extra = f'"kind": {literal(relation.object.noun)}'
    record = f"{{{literal(label)}: {variable}, {extra}}}"
    return ['if detail == "record":', f"    return {record}", f"return {returned}"]


def _default(option: Parameter) -> str:
    return literal(option.default) if isinstance(option.default, str) else repr(option.default)
