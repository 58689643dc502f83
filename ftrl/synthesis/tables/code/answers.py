"""The end of a tool's code: what options make of the answer, and the form in which it is returned."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ftrl.synthesis.tables.code.voice import Lines, Voice, literal
from ftrl.synthesis.tables.facts import Date, Kind, Quantity
from ftrl.synthesis.tables.options import (
    AS_TEXT,
    COUNT,
    DATE_ORDER,
    DETAIL,
    INITIAL,
    LETTER_CASE,
    MAX_LENGTH,
    NAME_ORDER,
    NAME_PART,
    NUMBER_FORMAT,
    OFFSET,
    OTHER_END,
    PRECISION,
    ROUND_TO,
    SEPARATOR,
    SIZE,
    SOURCE,
    TIME_SEPARATOR,
    TWELVE_HOURS,
    WEEKDAY,
    WITH_KIND,
    WITH_UNIT,
)
from ftrl.synthesis.tables.tool import Role, ToolDocument


def checks(tool: ToolDocument, voice: Voice) -> Lines:
    """The checks of everything that is neither the subject nor given beside it."""
    lines: Lines = []
    for parameter in tool.parameters:
        choosing = parameter.role in (Role.OPTION, Role.FIELD, Role.STATISTIC, Role.UNIT, Role.PIECES)
        if choosing and parameter.option != OTHER_END.option:
            lines += voice.option(parameter)
    return lines


def variable(tool: ToolDocument) -> str:
    """What the answer is called in code."""
    return "number" if len(tool.relations) == 1 and isinstance(tool.relation.object, Quantity) else "answer"


def imports(tool: ToolDocument, needed: bool = False) -> Lines:
    """What the code imports for dates: where it needs them anyway, or an option does."""
    return ["from datetime import date", ""] if needed or tool.option(WEEKDAY) else []


def effects(tool: ToolDocument) -> Lines:
    """What the options that were given make of the answer, in its variable."""
    return [*_of_number(tool), *_of_name(tool), *_of_time(tool)]


def _of_number(tool: ToolDocument) -> Lines:
    lines: Lines = []
    answer = tool.relation.object
    unit, pieces = tool.parameter(Role.UNIT), tool.parameter(Role.PIECES)
    if pieces is not None:
        lines.append(f"number = number * {pieces.name}")
    if unit is not None and isinstance(answer, Quantity):
        factors = {answer.unit: 1, **dict(answer.units)}
        table = ", ".join(f"{literal(name)}: {factor}" for name, factor in factors.items())
        lines += [f"factors = {{{table}}}", f"number = round(number * factors[{unit.name}])"]
    if rounding := tool.option(ROUND_TO):
        lines.append(f"number = round(number / {rounding.name}) * {rounding.name}")
    if written := tool.option(NUMBER_FORMAT):
        lines += [f'if {written.name} == "spaced":', '    number = f"{number:,}".replace(",", " ")']
    if as_text := tool.option(AS_TEXT):
        name = variable(tool)
        lines += [f"if {as_text.name}:", f"    {name} = str({name})"]
    if (with_unit := tool.option(WITH_UNIT)) and isinstance(answer, Quantity):
        shown = answer.unit if unit is None else f"{{{unit.name}}}"
        lines += [f"if {with_unit.name}:", f'    number = f"{{number}} {shown}"']
    return lines


def _of_name(tool: ToolDocument) -> Lines:
    lines: Lines = []
    answer = tool.relation.object
    if initial := tool.option(INITIAL):
        lines += [
            f"if {initial.name}:",
            "    given, family = answer.split()",
            '    answer = given[0] + ". " + family',
        ]
    if part := tool.option(NAME_PART):
        lines += [f'if {part.name} != "full":', f'    answer = answer.split()[0 if {part.name} == "given" else 1]']
    if order := tool.option(NAME_ORDER):
        lines += [f'if {order.name} == "family_first":', '    answer = ", ".join(reversed(answer.split()))']
    if (with_kind := tool.option(WITH_KIND)) and isinstance(answer, Kind):
        lines += [f"if {with_kind.name}:", f"    answer = {literal(f'{answer.noun} ')} + answer"]
    if longest := tool.option(MAX_LENGTH):
        lines.append(f"answer = answer[:{longest.name}]")
    if case := tool.option(LETTER_CASE):
        lines += [
            f'if {case.name} == "upper":',
            "    answer = answer.upper()",
            f'elif {case.name} == "lower":',
            "    answer = answer.lower()",
        ]
    return lines


def _of_time(tool: ToolDocument) -> Lines:
    lines: Lines = []
    if tool.option(WEEKDAY):
        lines.append('weekday = date.fromisoformat(answer).strftime("%A")')
    if precision := tool.option(PRECISION):
        lines.append(f'answer = answer[: {{"day": 10, "month": 7, "year": 4}}[{precision.name}]]')
    if order := tool.option(DATE_ORDER):
        lines += [f'if {order.name} == "day_first":', '    answer = "-".join(reversed(answer.split("-")))']
    if separator := tool.option(SEPARATOR):
        lines.append(f'answer = answer.replace("-", {separator.name})')
    if twelve := tool.option(TWELVE_HOURS):
        lines += [
            f"if {twelve.name}:",
            "    hour = int(answer[-5:-3])",
            '    half = "pm" if hour >= 12 else "am"',
            '    answer = f"{answer[:-5]}{hour % 12 or 12}:{answer[-2:]} {half}"',
        ]
    if separator := tool.option(TIME_SEPARATOR):
        lines.append(f'answer = answer.replace(":", {separator.name})')
    return lines


def returned(tool: ToolDocument, names: str, rng: Random, emit: str = "return {}") -> Lines:
    """Hand the answer out: bare, in a dictionary, or with what else is asked for.

    Args:
        tool: whose answer.
        names: an expression for all names that the tool knows.
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
    beside = list(_beside(tool, names))
    detail = tool.option(DETAIL)
    if detail is None and not beside:
        return [emit.format(plain)]
    if detail is not None and not beside:
        record = f"{{{label}: {name}, {': '.join(_extra(tool))}}}"
        return [f'if {detail.name} == "record":', f"    {emit.format(record)}", *_otherwise(emit, plain)]
    if detail is not None:
        beside.insert(0, (f'{detail.name} == "record"', *_extra(tool)))
    lines = [f"result = {{{label}: {name}}}"]
    for condition, key, value in beside:
        lines += [f"if {condition}:", f"    result[{key}] = {value}"]
    return [*lines, emit.format("result")]


def _beside(tool: ToolDocument, names: str) -> Iterator[tuple[str, str, str]]:
    """What is returned beside the answer: if what holds, under which key, which value."""
    if size := tool.option(SIZE):
        # Where rows say whose they are, a name may come several times.
        counted = f"{{{names[1:-1]}}}" if names.startswith("[") else names
        yield size.name, '"register_size"', f"len({counted})"
    if count := tool.option(COUNT):
        yield count.name, '"count"', "len(matches)"
    if weekday := tool.option(WEEKDAY):
        yield weekday.name, '"weekday"', "weekday"
    if offset := tool.option(OFFSET):
        yield offset.name, '"minutes_ahead"', "offsets[key]"
    if source := tool.option(SOURCE):
        yield source.name, '"source"', literal(f"{tool.relation.subject.noun} register")


def _otherwise(emit: str, plain: str) -> Lines:
    return [emit.format(plain)] if emit.startswith("return") else ["else:", f"    {emit.format(plain)}"]


def _extra(tool: ToolDocument) -> tuple[str, str]:
    """What a record says beside the answer: a key and a value."""
    answer = tool.relation.object
    unit = tool.parameter(Role.UNIT)
    if len(tool.relations) == 1:
        if unit is not None:
            return '"unit"', unit.name
        if isinstance(answer, Quantity) and answer.unit:
            return '"unit"', literal(answer.unit)
        if isinstance(answer, Date) and not any(map(tool.option, (DATE_ORDER, SEPARATOR, PRECISION))):
            return '"format"', '"YYYY-MM-DD"'
        if isinstance(answer, Kind):
            return '"kind"', literal(answer.noun)
    if tool.option(SOURCE):
        return '"about"', literal(tool.relation.subject.noun)
    return '"source"', literal(f"{tool.relation.subject.noun} register")
