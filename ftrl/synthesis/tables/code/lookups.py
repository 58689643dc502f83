"""Tools that find a value: in a dictionary, in a list of records, in columns side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from ftrl.synthesis.tables.code.answers import checks, effects, imports, returned, variable
from ftrl.synthesis.tables.code.keys import readings
from ftrl.synthesis.tables.code.voice import Lines, Voice, free_name, function, indented, key_of, literal
from ftrl.synthesis.tables.facts import Entity, Kind, Quantity, Relation
from ftrl.synthesis.tables.tool import Form, Role, ToolDocument

Table = Mapping[Entity, Mapping[str, str]]
"""Entity to what is known of it: relation key to value."""


def lookup_source(tool: ToolDocument, table: Table, rng: Random) -> str:
    """The code of a tool that looks up one of its relations."""
    voice = Voice(rng)
    shape = rng.choice(_SHAPES if len(tool.relations) == 1 else _SHAPES[:2])
    shape = table_shape if len(tool.relations) == 1 and rng.random() < 0.25 else shape
    data, names, found = shape(tool, table, voice, rng)
    subject_checks, key = voice.subject(tool)
    subject = tool.parameter(Role.SUBJECT)
    assert subject is not None
    core = [*key, *readings(tool, names), *found, *effects(tool)]
    if subject.form is Form.LIST:
        # Names are not repeated: what was asked for is no answer.
        loop = [*core, *returned(tool, names, rng, "results.append({})")]
        body = ["results = []", f"for item in {subject.name}:", *indented(loop), "return results"]
    else:
        body = [*core, *returned(tool, names, rng)]
    first = [*subject_checks, *checks(tool, voice)]
    # Some check before they set out their data, some after.
    parts = [*first, "", *data] if rng.random() < 0.3 else [*data, *first]
    return function(tool, [*imports(tool), *voice.opening(), *parts, *body])


Shape = Callable[[ToolDocument, Table, Voice, Random], tuple[Lines, str, Lines]]
"""Data, an expression for all names, and what finds the answer to ``key``."""


def dictionary_shape(tool: ToolDocument, table: Table, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """A dictionary of records."""
    name = free_name(tool, ("records", "known", "register", "entries", "archive"), rng)
    rows = [f"    {key_of(entity)}: {_record(tool, known)}," for entity, known in table.items()]
    found = voice.refuse(f"key in {name}", voice.unknown(tool.relation.subject), "LookupError", f"key not in {name}")
    return [f"{name} = {{", *rows, "}"], name, [*found, f"record = {name}[key]", *_picked(tool, voice)]


def list_shape(tool: ToolDocument, table: Table, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """A list of records that is searched."""
    name = free_name(tool, ("records", "entries", "rows", "table"), rng)
    own = rng.choice(("name", "subject", "entry"))
    rows = [f"    {{{literal(own)}: {key_of(entity)}, {_record(tool, known)[1:]}," for entity, known in table.items()]
    unknown = voice.unknown(tool.relation.subject)
    if rng.random() < 0.5:
        found = [
            "record = None",
            f"for row in {name}:",
            f'    if row["{own}"] == key:',
            "        record = row",
            "        break",
            *voice.refuse("record is not None", unknown, "LookupError", "record is None"),
        ]
    else:
        found = [
            f'matches = [row for row in {name} if row["{own}"] == key]',
            *voice.refuse("matches", unknown, "LookupError", "not matches"),
            "record = matches[0]",
        ]
    return [f"{name} = [", *rows, "]"], f'[row["{own}"] for row in {name}]', [*found, *_picked(tool, voice)]


def columns_shape(tool: ToolDocument, table: Table, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """Two columns side by side."""
    key = tool.relation.key
    names, values = _columns(tool, rng)
    data = [
        *voice.comment("Entries of both lists belong together."),
        f"{names} = [",
        *(f"    {key_of(entity)}," for entity in table),
        "]",
        f"{values} = [",
        *(f"    {_value(tool.relation, known[key])}," for known in table.values()),
        "]",
    ]
    found = voice.refuse(f"key in {names}", voice.unknown(tool.relation.subject), "LookupError", f"key not in {names}")
    return data, names, [*found, f"{variable(tool)} = {values}[{names}.index(key)]"]


def pairs_shape(tool: ToolDocument, table: Table, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """Pairs that are gone through."""
    key = tool.relation.key
    name = free_name(tool, ("pairs", "rows", "entries"), rng)
    answer = variable(tool)
    rows = [f"    ({key_of(entity)}, {_value(tool.relation, known[key])})," for entity, known in table.items()]
    found = [
        f"{answer} = None",
        f"for entry, value in {name}:",
        "    if entry == key:",
        f"        {answer} = value",
        *voice.refuse(
            f"{answer} is not None", voice.unknown(tool.relation.subject), "LookupError", f"{answer} is None"
        ),
    ]
    return [f"{name} = [", *rows, "]"], f"[entry for entry, value in {name}]", found


def table_shape(tool: ToolDocument, table: Table, voice: Voice, rng: Random) -> tuple[Lines, str, Lines]:
    """A dictionary of values."""
    key = tool.relation.key
    name = free_name(tool, ("records", "known", "register", "table"), rng)
    rows = [f"    {key_of(entity)}: {_value(tool.relation, known[key])}," for entity, known in table.items()]
    answer = variable(tool)
    unknown = voice.unknown(tool.relation.subject)
    if rng.random() < 0.4:
        found = [
            "try:",
            f"    {answer} = {name}[key]",
            "except KeyError:",
            f"    raise LookupError({literal(unknown)}) from None",
        ]
    else:
        found = [
            *voice.refuse(f"key in {name}", unknown, "LookupError", f"key not in {name}"),
            f"{answer} = {name}[key]",
        ]
    return [f"{name} = {{", *rows, "}"], name, found


def _columns(tool: ToolDocument, rng: Random) -> tuple[str, str]:
    """What two columns side by side are called."""
    names = free_name(tool, ("names", "keys", "column_a"), rng)
    return names, {"names": "values", "keys": "answers", "column_a": "column_b"}[names]


_SHAPES: tuple[Shape, ...] = (dictionary_shape, list_shape, columns_shape, pairs_shape)


def _record(tool: ToolDocument, known: Mapping[str, str]) -> str:
    fields = [
        f"{literal(tool.field_of(relation))}: {_value(relation, known[relation.key])}"
        for relation in tool.relations
        if relation.key in known
    ]
    return "{" + ", ".join(fields) + "}"


def _picked(tool: ToolDocument, voice: Voice) -> Lines:
    field = tool.parameter(Role.FIELD)
    answer = variable(tool)
    if field is None:
        return [f"{answer} = record[{literal(tool.field_of(tool.relation))}]"]
    missing = voice.refuse(
        f"{field.name} in record", "this detail is not on record", "LookupError", f"{field.name} not in record"
    )
    return [*missing, f"{answer} = record[{field.name}]"]


def _value(relation: Relation, value: str) -> str:
    answer = relation.object
    is_number = isinstance(answer, Quantity) or (isinstance(answer, Kind) and answer.numbered)
    return value if is_number else literal(value)
