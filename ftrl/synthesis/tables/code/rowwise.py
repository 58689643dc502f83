"""Tools that hold what belongs to each of several entities, and filter it, add it up, list it, or find what is next."""

from __future__ import annotations

from collections.abc import Mapping
from keyword import iskeyword
from random import Random

from ftrl.synthesis.tables.code.answers import checks, effects, imports, returned, variable
from ftrl.synthesis.tables.code.keys import readings
from ftrl.synthesis.tables.code.voice import Lines, Voice, free_name, function, indented, key_of, literal
from ftrl.synthesis.tables.facts import Clock, Date, Entity, Kind, Quantity, Row, Rows, Take
from ftrl.synthesis.tables.options import EXCLUDE, INCLUSIVE, LIMIT, OTHER_END, RANK, SORTED
from ftrl.synthesis.tables.queries import LISTED
from ftrl.synthesis.tables.tool import Form, Role, ToolDocument

Belongings = Mapping[Entity, tuple[Row, ...]]
"""Entity to what belongs to it."""


def rows_source(tool: ToolDocument, known: Belongings, rng: Random) -> str:
    """The code of a tool that makes something of rows."""
    voice = Voice(rng)
    query = tool.relation.query
    assert query is not None
    rows = query.rows
    assert rows is not None
    data, names, found = (
        _by_entity(tool, rows, known, voice, rng) if rng.random() < 0.5 else _flat(tool, rows, known, voice, rng)
    )
    bound, narrowed = _bound(tool, rows, voice)
    subject_checks, key = voice.subject(tool)
    core = [*key, *readings(tool, names), *found, *narrowed, *_made(tool, rows, voice), *effects(tool)]
    subject = tool.parameter(Role.SUBJECT)
    assert subject is not None
    if subject.form is Form.LIST:
        core = [*core, *returned(tool, names, rng, "results.append({})")]
        core = ["results = []", f"for item in {subject.name}:", *indented(core), "return results"]
    else:
        core = [*core, *returned(tool, names, rng)]
    first = [*subject_checks, *bound, *checks(tool, voice)]
    parts = [*first, "", *data] if rng.random() < 0.3 else [*data, *first]
    return function(tool, [*imports(tool, isinstance(rows.value, Date)), *voice.opening(), *parts, *core])


def _names(rows: Rows) -> tuple[str, str]:
    """What the columns of label and figure are called in code."""
    label, figure = (name.replace(" ", "_") for name in (rows.noun, rows.measure))
    return (f"{label}_" if iskeyword(label) else label), (f"{figure}_" if iskeyword(figure) else figure)


def _figure(rows: Rows, row: Row) -> str:
    return row.value if isinstance(rows.value, Quantity) else literal(row.value)


def _label(rows: Rows, row: Row) -> str:
    numbered = isinstance(rows.label, Kind) and rows.label.numbered
    return str(row.label) if numbered else literal(str(row.label))


def _by_entity(
    tool: ToolDocument, rows: Rows, known: Belongings, voice: Voice, rng: Random
) -> tuple[Lines, str, Lines]:
    """A dictionary from the entity to its rows."""
    table = free_name(tool, ("records", "register", "book", "by_name"), rng)
    lines = [f"{table} = {{"]
    for entity, belongings in known.items():
        lines.append(f"    {key_of(entity)}: [")
        for row in belongings:
            pair = f"({_label(rows, row)}, {_figure(rows, row)})" if rows.label else f"(None, {_figure(rows, row)})"
            lines.append(f"        {pair if rows.label else _figure(rows, row)},")
        lines.append("    ],")
    unknown = voice.unknown(tool.relation.subject)
    found = voice.refuse(f"key in {table}", unknown, "LookupError", f"key not in {table}")
    every = f"{table}[key]" if rows.label else f"[(None, {_names(rows)[1]}) for {_names(rows)[1]} in {table}[key]]"
    return [*lines, "}"], table, [*found, f"matches = {every}"]


def _flat(tool: ToolDocument, rows: Rows, known: Belongings, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """One list of rows that say whose they are."""
    table = free_name(tool, ("rows", "entries", "table", "ledger"), rng)
    label, figure = _names(rows)
    owner = rng.choice(("of", "owner", "belongs_to"))
    lines = [f"{table} = ["]
    for entity, belongings in known.items():
        for row in belongings:
            named = f"{literal(label)}: {_label(rows, row)}, " if rows.label else ""
            lines.append(f"    {{{literal(owner)}: {key_of(entity)}, {named}{literal(figure)}: {_figure(rows, row)}}},")
    one = f'row["{label}"]' if rows.label else "None"
    found = [
        f'matches = [({one}, row["{figure}"]) for row in {table} if row["{owner}"] == key]',
        *voice.refuse("matches", voice.unknown(tool.relation.subject), "LookupError", "not matches"),
    ]
    return [*lines, "]"], f'[row["{owner}"] for row in {table}]', found


def _bound(tool: ToolDocument, rows: Rows, voice: Voice) -> tuple[Lines, Lines]:
    """The check of the bound, and what it leaves of the matches."""
    parameter = tool.parameter(Role.BOUND)
    query = tool.relation.query
    assert parameter is not None
    assert query is not None
    name, figure = parameter.name, _names(rows)[1]
    over = "<" if query.take is Take.LAST else ">"
    label = "label" if rows.label else "nothing"
    pair = f"({label}, {figure})" if rows.label else f"(None, {figure})"
    loop = f"for {label}, {figure} in matches"
    if parameter.form is Form.RANGE:
        first, second = (part for part, _ in parameter.parts)
        whole = isinstance(rows.value, Quantity) and rows.value.whole
        types = "int" if whole else "(int, float)"
        checks = [
            *voice.refuse(f"isinstance({name}, dict)", f"{name} must be an object", "TypeError"),
            *voice.refuse(
                f'"{first}" in {name} and set({name}) <= {{"above", "below"}}',
                f"{name} takes {first} and, if wanted, {second}",
            ),
            f"for end in {name}.values():",
            *indented(
                voice.refuse(
                    f"isinstance(end, {types}) and not isinstance(end, bool)", "both ends must be numbers", "TypeError"
                )
            ),
        ]
        narrowed = []
        for end, sign in (("above", ">"), ("below", "<")):
            keep = f'matches = [{pair} {loop} if {figure} {sign} {name}["{end}"]]'
            narrowed += [f'if "{end}" in {name}:', f"    {keep}"]
    else:
        checks = _checked(rows, voice, name)
        inclusive = tool.option(INCLUSIVE)
        at = f" or ({inclusive.name} and {figure} == {name})" if inclusive else ""
        narrowed = [f"matches = [{pair} {loop} if {figure} {over} {name}{at}]"]
    if other := tool.option(OTHER_END):
        checks += [f"if {other.name} is not None:", *indented(_checked(rows, voice, other.name))]
        under = "<" if over == ">" else ">"
        keep = f"matches = [{pair} {loop} if {figure} {under} {other.name}]"
        narrowed += [f"if {other.name} is not None:", f"    {keep}"]
    if excluded := tool.option(EXCLUDE):
        narrowed.append(f"matches = [pair for pair in matches if pair[0] not in {excluded.name}]")
    nothing = f"no {rows.noun} with such a {rows.measure}"
    return checks, [*narrowed, *voice.refuse("matches", nothing, "LookupError", "not matches")]


def _checked(rows: Rows, voice: Voice, name: str) -> Lines:
    if isinstance(rows.value, Quantity):
        return voice.number(name, rows.value.whole)
    return voice.clock(name) if isinstance(rows.value, Clock) else voice.day(name)


def _made(tool: ToolDocument, rows: Rows, voice: Voice) -> Lines:
    """The answer, made of the matches that are left."""
    query = tool.relation.query
    assert query is not None
    label, figure = _names(rows)
    name = variable(tool)
    if query.take is Take.WHICH:
        too_many = f"more than {LISTED} {rows.plural} fit; narrow the {rows.measure}"
        order, limit = tool.option(SORTED), tool.option(LIMIT)
        reverse = f', reverse={order.name} == "descending"' if order else ""
        return [
            *voice.refuse(f"len(matches) <= {LISTED}", too_many, wrong=f"len(matches) > {LISTED}"),
            f"matches.sort(key=lambda pair: pair[1]{reverse})",
            f"{name} = [{label} for {label}, {figure} in matches{f'[:{limit.name}]' if limit else ''}]",
        ]
    if query.take is Take.TOTAL:
        return _figures(tool, rows, figure)
    if rank := tool.option(RANK):
        too_far = f"fewer {rows.plural} than that fit"
        return [
            *voice.refuse(f"{rank.name} <= len(matches)", too_far, "LookupError", f"{rank.name} > len(matches)"),
            f"matches.sort(key=lambda pair: pair[1]{', reverse=True' if query.take is Take.LAST else ''})",
            f"{name} = matches[{rank.name} - 1][{0 if rows.label else 1}]",
        ]
    best = "max" if query.take is Take.LAST else "min"
    if rows.label is None:
        return [f"{name} = {best}({figure} for nothing, {figure} in matches)"]
    return [f"{name} = {best}(matches, key=lambda pair: pair[1])[0]"]


def _figures(tool: ToolDocument, rows: Rows, figure: str) -> Lines:
    whole = isinstance(rows.value, Quantity) and rows.value.whole
    label = "label" if rows.label else "nothing"
    several = f"figures = [{figure} for {label}, {figure} in matches]"
    total = "sum(figures)" if whole else "round(sum(figures), 2)"
    statistic = tool.parameter(Role.STATISTIC)
    if statistic is None:
        return [several, f"number = {total}"]
    return [
        several,
        f'if {statistic.name} == "total":',
        f"    number = {total}",
        f'elif {statistic.name} == "average":',
        "    number = round(sum(figures) / len(figures), 2)",
        f'elif {statistic.name} == "highest":',
        "    number = max(figures)",
        "else:",
        "    number = min(figures)",
    ]
