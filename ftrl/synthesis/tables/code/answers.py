"""The end of a tool's code: what options make of the answer, and the form in which it is returned."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables.code.voice import Lines, Voice, literal
from ftrl.synthesis.tables.facts import Date, Kind, Quantity
from ftrl.synthesis.tables.scale import DATE_ORDER, DETAIL, NAME_ORDER, NUMBER_FORMAT, ROUND_TO
from ftrl.synthesis.tables.tool import Role, ToolDocument


def checks(tool: ToolDocument, voice: Voice) -> Lines:
    """The checks of everything that is neither the subject nor given beside it."""
    lines: Lines = []
    for parameter in tool.parameters:
        if parameter.role in (Role.OPTION, Role.FIELD, Role.STATISTIC, Role.UNIT, Role.PIECES):
            lines += voice.option(parameter)
    return lines


def variable(tool: ToolDocument) -> str:
    """What the answer is called in code."""
    return "number" if len(tool.relations) == 1 and isinstance(tool.relation.object, Quantity) else "answer"


def effects(tool: ToolDocument) -> Lines:
    """What the options that were given make of the answer, in its variable."""
    lines: Lines = []
    answer = tool.relation.object
    unit, pieces = tool.parameter(Role.UNIT), tool.parameter(Role.PIECES)
    if pieces is not None:
        lines.append(f"number = number * {pieces.name}")
    if unit is not None and isinstance(answer, Quantity):
        factors = {answer.unit: 1, **dict(answer.units)}
        table = ", ".join(f"{literal(name)}: {factor}" for name, factor in factors.items())
        lines += [f"factors = {{{table}}}", f"number = round(number * factors[{unit.name}])"]
    names = {parameter.name for parameter in tool.parameters}
    if ROUND_TO.name in names:
        lines.append("number = round(number / round_to) * round_to")
    if NUMBER_FORMAT.name in names:
        lines += ['if number_format == "spaced":', '    number = f"{number:,}".replace(",", " ")']
    if NAME_ORDER.name in names:
        lines += ['if name_order == "family_first":', '    answer = ", ".join(reversed(answer.split()))']
    if DATE_ORDER.name in names:
        lines += ['if date_order == "day_first":', '    answer = "-".join(reversed(answer.split("-")))']
    return lines


def returned(tool: ToolDocument, rng: Random, emit: str = "return {}") -> Lines:
    """Hand the answer out: bare, in a dictionary, or as a record where that is asked for.

    Args:
        tool: whose answer.
        rng: decides the form.
        emit: the statement, with ``{}`` for the value.
    """
    relation = tool.relation
    name = variable(tool)
    field = tool.parameter(Role.FIELD)
    label = literal(tool.field_of(relation)) if field is None else field.name
    statistic = tool.parameter(Role.STATISTIC)
    label = label if statistic is None else statistic.name
    plain = rng.choice((name, f"{{{label}: {name}}}", f"{{{label}: {name}}}"))
    if DETAIL.name not in {parameter.name for parameter in tool.parameters}:
        return [emit.format(plain)]
    record = f"{{{label}: {name}, {_extra(tool)}}}"
    return ['if detail == "record":', f"    {emit.format(record)}", *_otherwise(emit, plain)]


def _otherwise(emit: str, plain: str) -> Lines:
    return [emit.format(plain)] if emit.startswith("return") else ["else:", f"    {emit.format(plain)}"]


def _extra(tool: ToolDocument) -> str:
    answer = tool.relation.object
    unit = tool.parameter(Role.UNIT)
    if len(tool.relations) == 1:
        if unit is not None:
            return f'"unit": {unit.name}'
        if isinstance(answer, Quantity) and answer.unit:
            return f'"unit": {literal(answer.unit)}'
        if isinstance(answer, Date) and DATE_ORDER.name not in {parameter.name for parameter in tool.parameters}:
            return '"format": "YYYY-MM-DD"'
        if isinstance(answer, Kind):
            return f'"kind": {literal(answer.noun)}'
    return f'"source": {literal(f"{tool.relation.subject.noun} register")}'
