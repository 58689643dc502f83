"""Queries over the user's tables: rows that refer to a row are filtered, added up, listed, or found by what is next."""

from __future__ import annotations

from ftrl.synthesis.tables.facts import Date, Kind, Quantity, Query, Relation, Rows, Take
from ftrl.synthesis.tables.tabular.cells import CellType
from ftrl.synthesis.tables.tabular.describe import column_noun, order_of
from ftrl.synthesis.tables.tabular.find import Column, FoundTable
from ftrl.synthesis.tables.tabular.naming import identifier, plural
from ftrl.synthesis.tables.wording import a

_SUMMABLE = frozenset(
    {
        *("amount", "bytes", "cost", "count", "days", "distance", "duration", "fee", "grams", "hours", "income"),
        *("length", "miles", "milliseconds", "minutes", "pages", "paid", "points", "price", "profit", "quantity"),
        *(
            "revenue",
            "salary",
            "sales",
            "seats",
            "seconds",
            "size",
            "spent",
            "stock",
            "tax",
            "total",
            "units",
            "weight",
        ),
    }
)
"""What makes sense when it is added up; a sum of latitudes does not."""

_SUPERLATIVES = {"higher": "highest", "lower": "lowest", "longer": "longest", "shorter": "shortest"}
_SUPERLATIVES |= {"larger": "largest", "smaller": "smallest", "greater": "greatest", "later": "latest"}
_SUPERLATIVES |= {"earlier": "earliest"}


def rows_of(table: FoundTable, reference: Column, measure: Column, kind: Kind | None) -> Rows | None:
    """The rows of a table that refer to a row by one column, with another as their figure; null if it is no figure.

    Args:
        table: whose rows.
        reference: the column that refers.
        measure: the column with the figure.
        kind: what the rows are, if they have names.
    """
    noun = column_noun(table, measure)
    if measure.type is CellType.DATE:
        value: Quantity | Date = Date()
    elif measure.type in (CellType.INTEGER, CellType.NUMBER):
        more, less = order_of(noun)
        value = Quantity(more=more, less=less, whole=measure.type is CellType.INTEGER)
    else:
        return None
    key = f"{table.loaded.name}.{reference.name}.{measure.name}"
    return Rows(key, table.noun, plural(table.noun), noun, value, kind)


def queries_over(rows: Rows, owner: Kind, reference: str) -> list[Relation]:
    """What can be asked about the rows that refer to an entity.

    Args:
        rows: which rows.
        owner: the kind of what they refer to.
        reference: what the referring column is called.
    """
    made = []
    if isinstance(rows.label, Kind):
        made += [_relation(rows, owner, reference, take) for take in (Take.NEXT, Take.LAST, Take.WHICH)]
    if isinstance(rows.value, Quantity) and set(rows.measure.split()) & _SUMMABLE:
        made.append(_relation(rows, owner, reference, Take.TOTAL))
    return made


def _relation(rows: Rows, owner: Kind, reference: str, take: Take) -> Relation:
    value, measure = rows.value, rows.measure
    after, before = ("after", "before") if isinstance(value, Date) else ("above", "below")
    beyond = before if take is Take.LAST else after
    end = _SUPERLATIVES[value.more if take is Take.LAST else value.less]
    whose = _whose(reference)
    bounded = f"with {a(measure)} {beyond} {{given}} {whose} {{}}"
    one = f"the {rows.noun} with the {end} {measure} {beyond} {{given}} {whose} {{}}"
    told = f"the {rows.noun} with the {end} {measure} {beyond} a bound, among those of {{}}"
    phrases = {
        Take.NEXT: (one,),
        Take.LAST: (one,),
        Take.WHICH: (f"the {rows.plural} {bounded}", f"all {rows.plural} {bounded}"),
        Take.TOTAL: (f"the combined {measure} of the {rows.plural} {bounded}",),
    }[take]
    nouns = {
        Take.NEXT: (f"{end} {measure} {rows.noun}", f"{rows.noun} {beyond} {measure}"),
        Take.LAST: (f"{end} {measure} {rows.noun}", f"{rows.noun} {beyond} {measure}"),
        Take.WHICH: (f"{rows.plural} by {measure}", f"{rows.plural} of {owner.noun}"),
        Take.TOTAL: (f"combined {measure}", f"{rows.noun} {measure} sum"),
    }[take]
    if take is Take.WHICH:
        told = f"the {rows.plural} with {a(measure)} {beyond} a bound, among those of {{}}"
    if take is Take.TOTAL:
        told = f"the combined {measure} of those {rows.plural} of {{}} that have {a(measure)} {beyond} a bound"
    name = identifier(measure)
    takes = (f"{'max' if take is Take.LAST else 'min'}_{name}", f"{beyond}_{name}", f"{name}_{beyond}")
    day = " day, written YYYY-MM-DD" if isinstance(value, Date) else ""
    asks = f"Only {rows.plural} with {a(measure)} {beyond} this{day}."
    answer = value if take is Take.TOTAL else rows.label
    assert answer is not None
    return Relation(owner, answer, nouns, phrases, f"{rows.key}.{take.value}", Query(take, rows, told, takes, asks))


def _whose(reference: str) -> str:
    """What stands between rows and what they refer to: ``whose customer is``, ``that reports to``."""
    if reference.endswith(" by"):
        return f"that was {reference}"
    return f"that {reference}" if reference.endswith((" to", " from", " in", " at")) else f"whose {reference} is"
