"""Kinds and relations in words: what a question and a document call the rows and columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

from ftrl.synthesis.tables.facts import Date, Kind, Quantity, Relation, Text
from ftrl.synthesis.tables.tabular.cells import CellType
from ftrl.synthesis.tables.tabular.find import Column, FoundTable
from ftrl.synthesis.tables.tabular.naming import identifier

_WHO = frozenset(
    {
        *("person", "author", "artist", "singer", "composer", "actor", "actress", "director", "player", "teacher"),
        *("student", "doctor", "patient", "employee", "user", "member", "driver", "pilot", "writer", "manager"),
    }
)
_TITLED = frozenset(
    {"album", "article", "book", "course", "film", "game", "movie", "paper", "play", "playlist", "song", "track"}
)
# What a column that is called by its unit alone is about.
_UNITS = {
    "milliseconds": "length in milliseconds",
    "seconds": "length in seconds",
    "minutes": "length in minutes",
    "hours": "length in hours",
    "days": "length in days",
    "bytes": "size in bytes",
    "pages": "number of pages",
    "seats": "number of seats",
    "engines": "number of engines",
    "grams": "weight in grams",
    "miles": "distance in miles",
    "kilometers": "distance in kilometres",
}
# Units that columns are called by, and others that a figure may be asked for in.
_TURNED: dict[str, tuple[tuple[str, float], ...]] = {
    "minutes": (("seconds", 60),),
    "hours": (("minutes", 60),),
    "days": (("hours", 24),),
    "grams": (("ounces", 0.035274), ("pounds", 0.00220462)),
    "miles": (("kilometres", 1.609344),),
    "kilometres": (("miles", 0.621371),),
}
_ORDERS = (
    (("length", "duration", "distance", "time", "runtime"), "longer", "shorter"),
    (
        *(("price", "cost", "total", "rate", "fee", "salary", "value", "score", "rating", "temperature", "age"),),
        *("higher", "lower"),
    ),
    (("altitude", "elevation", "height", "speed", "latitude", "longitude", "tax", "wage"), "higher", "lower"),
    (("weight",), "greater", "smaller"),
)


def kind_of(table: FoundTable) -> Kind:
    """The kind that the rows of a table are. The table has a label."""
    noun = table.noun
    first = table.label[0]
    numbered = len(table.label) == 1 and first.type is CellType.INTEGER
    called = "full name" if len(table.label) > 1 else table.noun_of(first)
    if numbered and called in (noun, "id"):
        called = "number"
    person = noun in _WHO or (len(table.label) > 1 and table.noun_of(first) == "first name")
    if numbered:
        mentions: tuple[str, ...] = (f"{noun} {{}}", f"the {noun} with the {called} {{}}")
    elif called == "title" or noun in _TITLED:
        mentions = (f'the {noun} "{{}}"', '"{}"')
    elif person:
        mentions = ("{}", f"the {noun} {{}}")
    elif called.endswith("name") or called == noun:
        mentions = (f"the {noun} {{}}",)
    else:
        mentions = (f"{noun} {{}}", f"the {noun} with the {called} {{}}")
    plain, own = identifier(noun), identifier(called)
    parameters = (plain,) if own == plain else (f"{plain}_{own}", plain) if numbered else (f"{plain}_{own}", plain, own)
    return Kind(noun, parameters, 0, "", mentions, person, called, numbered)


def kind_of_keys(table: FoundTable, targets: Sequence[Kind | None]) -> Kind:
    """The kind that the rows of a table are, if it takes several keys together to tell one.

    Args:
        table: has keys.
        targets: the kind that each of them refers to, if it does.
    """
    keys = []
    for column, target in zip(table.keys, targets, strict=True):
        noun = table.noun_of(column)
        called = "value" if target is None else target.called
        numbered = column.type is CellType.INTEGER if target is None else target.numbered
        own = identifier(noun)
        parameters = (own,) if target is None else (f"{own}_{identifier(called)}", own)
        keys.append(Kind(noun, tuple(dict.fromkeys(parameters)), called=called, numbered=numbered))
    told = " and ".join(key.noun for key in keys)
    return Kind(table.noun, (), called=told, keys=tuple(keys))


def column_noun(table: FoundTable, column: Column) -> str:
    """What a column is called where it is asked for."""
    noun = table.noun_of(column)
    return _UNITS.get(noun, noun)


def relation_of(table: FoundTable, column: Column, kind: Kind, target: Kind | None, ambiguous: bool) -> Relation | None:
    """The relation that a column is; null where its cells can't be answers.

    Args:
        table: whose column it is.
        column: which.
        kind: what the rows are.
        target: the kind that its values are names or keys of, if they are.
        ambiguous: whether another relation goes by the same noun.
    """
    noun = column_noun(table, column)
    answer = target or _value(noun, column)
    if answer is None:
        return None
    own = noun if noun.startswith(kind.noun) else f"{kind.noun} {noun}"
    nouns = (own,) if ambiguous else (noun, own)
    key = f"{table.loaded.name}.{column.name}"
    return Relation(kind, answer, tuple(dict.fromkeys(nouns)), _phrases(noun, target), key)


def _value(noun: str, column: Column) -> Quantity | Date | Text | None:
    if column.type is CellType.TEXT:
        return Text()
    if column.type is CellType.DATE:
        return Date()
    if column.type not in (CellType.INTEGER, CellType.NUMBER):
        return None
    more, less = order_of(noun)
    unit = next((unit for unit in _TURNED if noun.endswith(f" in {unit}")), "")
    units = _TURNED.get(unit, ())
    return Quantity(unit=unit, more=more, less=less, whole=column.type is CellType.INTEGER, units=units)


def order_of(noun: str) -> tuple[str, str]:
    """The words of a comparison of two figures of that name: ``longer`` and ``shorter``."""
    return next(((up, down) for words, up, down in _ORDERS if set(noun.split()) & set(words)), ("larger", "smaller"))


def _phrases(noun: str, target: Kind | None) -> tuple[str, ...]:
    plain = f"the {noun} of {{}}"
    if target is None:
        # The first two are what documents say, too.
        return (plain, plain, f"the {noun} given for {{}}", f"the {noun} on record for {{}}")
    # "ReportsTo" and "CreatedBy" are half a sentence already.
    if noun.endswith(" by"):
        return (f"the {target.noun} that {{}} was {noun}", f"the {target.noun} by whom {{}} was {noun[:-3]}")
    if noun.endswith((" to", " from", " in", " at")):
        return (f"the {target.noun} that {{}} {noun}", f"the {target.noun} which {{}} {noun}")
    if target.person:
        return (plain, plain, f"the {noun} on record for {{}}")
    if noun == target.noun:
        return (plain, f"the {noun} that {{}} belongs to")
    return (plain, f"the {target.noun} that is the {noun} of {{}}")
