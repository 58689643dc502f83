"""Finding out what tables are about: types of columns, keys, names for people, references between tables.

What the user declares holds, then what SQLite declares, then what names and values say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ftrl.errors import InputError
from ftrl.synthesis.tables.tabular.cells import CellType, type_of
from ftrl.synthesis.tables.tabular.load import Loaded, LoadedTable
from ftrl.synthesis.tables.tabular.naming import noun_of_column, noun_of_table, words_of
from ftrl.synthesis.tables.tabular.schema import DeclaredSchema, DeclaredTable

SAMPLE_ROWS = 50_000
"""Rows that types are found from; a cell that is of another type further on counts as missing."""

_SAME_TYPE = 0.98
_NAMES = ("name", "title", "full name", "label")
_CONTAINED = 0.95
_VALUES = 500


@dataclass(frozen=True)
class Column:
    """A column with what its cells are.

    Attributes:
        sql: its name in the temporary file.
        filled: rows with a value.
        distinct: different values.
    """

    name: str
    sql: str
    type: CellType
    filled: int
    distinct: int


@dataclass
class FoundTable:
    """A table with what was found about it.

    Attributes:
        noun: what a row is called.
        key: the column that others refer to.
        label: the columns that name a row to a person; empty where nothing does.
        keys: the columns that tell a row together, where it takes several and nothing names it.
        references: column name to (table, key column) that its values are.
    """

    loaded: LoadedTable
    noun: str
    columns: dict[str, Column]
    declared: DeclaredTable
    key: Column | None = None
    label: tuple[Column, ...] = ()
    keys: tuple[Column, ...] = ()
    references: dict[str, tuple[FoundTable, Column]] = field(default_factory=dict)

    def noun_of(self, column: Column) -> str:
        """What a column is called in a question."""
        said = self.declared.nouns.get(column.name)
        number = self.loaded.columns.index(column.name) + 1
        return said or noun_of_column(column.name, self.noun) or f"column {number}"

    def is_called_key(self, column: Column) -> bool:
        """Whether the column says that it is a key, by declaration or by name."""
        words = words_of(column.name)
        said = (column.name,) in (self.declared.key, self.loaded.key)
        return said or words[-1:] in (["id"], ["code"], ["key"]) or " ".join(words) == self.noun

    def tells_nothing(self, column: Column) -> bool:
        """Whether the column only serves to name or find a row: nobody asks for it."""
        is_key = column == self.key and (column.type is CellType.INTEGER or self.is_called_key(column))
        return is_key or column in (*self.label, *self.keys) or column.name in self.declared.ignore

    def is_unique(self, column: Column) -> bool:
        """Whether every row has a value of its own there."""
        return column.filled == column.distinct == self.loaded.rows > 0


def found(source: Loaded, schema: DeclaredSchema) -> list[FoundTable]:
    """All tables that have rows, with their types, keys, labels and references.

    Raises:
        InputError: a declared key or label is not what it has to be, or all tables are empty.
    """
    with_rows = [table for table in source.tables if table.rows and table.name not in schema.skip]
    if not with_rows:
        raise InputError("no table has any rows", file=source.tables[0].file if source.tables else None)
    tables: list[FoundTable] = []
    nouns: set[str] = set()
    for table in with_rows:
        one = schema.of(table)
        noun = one.noun or noun_of_table(table.name) or f"table {len(tables) + 1}"
        noun = noun if noun not in nouns else f"{noun} {len(tables) + 1}"
        nouns.add(noun)
        columns = {name: _column(source.connection, table, name) for name in table.columns}
        made = FoundTable(table, noun, columns, one)
        made.key = _key(source.connection, made)
        made.label = _label(source.connection, made)
        tables.append(made)
    for made in tables:
        _references(source.connection, made, tables)
    for made in tables:
        made.keys = () if made.label else _keys(source.connection, made)
    return tables


def _column(connection: sqlite3.Connection, table: LoadedTable, name: str) -> Column:
    sql = table.column(name)
    connection.create_function("type_of", 1, lambda cell: type_of(cell).value, deterministic=True)
    rows = f"(SELECT {sql} FROM {table.sql} LIMIT {SAMPLE_ROWS})"
    counts = dict(connection.execute(f"SELECT type_of({sql}), count(*) FROM {rows} GROUP BY 1"))
    nothing = counts.pop(CellType.NOTHING.value, 0)
    total = sum(counts.values())
    # Texts that stand for nothing are nothing, so that a column of numbers with "NA" in it is one of numbers.
    filled, distinct = connection.execute(
        f"SELECT count(*), count(DISTINCT {sql}) FROM {table.sql} WHERE type_of({sql}) != 'nothing'"
        if nothing
        else f"SELECT count({sql}), count(DISTINCT {sql}) FROM {table.sql}"
    ).fetchone()
    type_ = _common(counts, total)
    other = f"SELECT 1 FROM {table.sql} WHERE type_of({sql}) = 'number' AND CAST({sql} AS TEXT) NOT LIKE '%.0' LIMIT 1"
    if type_ is CellType.NUMBER and not connection.execute(other).fetchone():
        # Whole numbers with gaps are often written as 3.0, and would meet no key.
        whole = f"UPDATE {table.sql} SET {sql} = CAST(CAST({sql} AS INTEGER) AS TEXT) WHERE type_of({sql}) = 'number'"
        connection.execute(whole)
        type_ = CellType.INTEGER
    return Column(name, sql, type_, filled, distinct)


def _common(counts: dict[str, int], total: int) -> CellType:
    if not total:
        return CellType.NOTHING
    integers = counts.get(CellType.INTEGER.value, 0)
    for type_, count in (
        (CellType.INTEGER, integers),
        (CellType.NUMBER, integers + counts.get(CellType.NUMBER.value, 0)),
        (CellType.DATE, counts.get(CellType.DATE.value, 0)),
        (CellType.BOOLEAN, counts.get(CellType.BOOLEAN.value, 0)),
    ):
        if count >= _SAME_TYPE * total:
            return type_
    return CellType.OTHER if counts.get(CellType.OTHER.value) else CellType.TEXT


def _key(connection: sqlite3.Connection, table: FoundTable) -> Column | None:
    declared = table.declared.key
    if declared and not _tell(connection, table, [table.columns[name] for name in declared]):
        raise InputError(
            f"the declared key of '{table.loaded.name}' is empty or the same in several rows",
            file=table.loaded.file,
            field=" and ".join(declared),
        )
    for key in (declared, table.loaded.key):
        if len(key) == 1 and table.is_unique(table.columns[key[0]]):
            return table.columns[key[0]]
    unique = [column for column in table.columns.values() if table.is_unique(column)]
    usable = [c for c in unique if table.is_called_key(c) and c.type in (CellType.INTEGER, CellType.TEXT)]
    usable += [c for c in unique if c.type is CellType.TEXT]
    # Measures are often different in every row, too; numbers that count the rows leave few out.
    usable += [c for c in unique if c.type is CellType.INTEGER and _counts(connection, table, c)]
    return usable[0] if usable else None


def _keys(connection: sqlite3.Connection, table: FoundTable) -> tuple[Column, ...]:
    """Columns that tell a row together: declared ones, or two that refer to other tables."""
    referring = [name for name in table.columns if name in table.references]
    possible = [table.declared.key, table.loaded.key, *combinations(referring, 2)]
    for names in possible:
        columns = tuple(table.columns[name] for name in names)
        nouns = {table.noun_of(column) for column in columns}
        if len(columns) > 1 and len(nouns) == len(columns) and _tell(connection, table, columns):
            return columns
    return ()


def _tell(connection: sqlite3.Connection, table: FoundTable, columns: Sequence[Column]) -> bool:
    """Whether every row has values of its own in these columns."""
    names = ", ".join(column.sql for column in columns)
    filled = " AND ".join(f"{column.sql} IS NOT NULL" for column in columns)
    different = f"SELECT DISTINCT {names} FROM {table.loaded.sql} WHERE {filled}"
    return bool(connection.execute(f"SELECT count(*) FROM ({different})").fetchone()[0] == table.loaded.rows)


def _counts(connection: sqlite3.Connection, table: FoundTable, column: Column) -> bool:
    ends = f"SELECT max(CAST({column.sql} AS INTEGER)) - min(CAST({column.sql} AS INTEGER)) FROM {table.loaded.sql}"
    return int(connection.execute(ends).fetchone()[0]) < 2 * table.loaded.rows


def _label(connection: sqlite3.Connection, table: FoundTable) -> tuple[Column, ...]:
    if table.declared.label:
        return tuple(table.columns[name] for name in table.declared.label)
    nouns = {table.noun_of(column): column for column in table.columns.values() if column.type is CellType.TEXT}
    if "first name" in nouns and "last name" in nouns:
        return nouns["first name"], nouns["last name"]
    named = [nouns[noun] for noun in _NAMES if noun in nouns]
    named += [column for noun, column in nouns.items() if noun.endswith((" name", " title")) and column not in named]
    for column in named:
        if _share_of_own(connection, table, column) >= 0.5:
            return (column,)
    if table.key is not None and table.key.type is CellType.TEXT:
        return (table.key,)
    unique = [column for column in nouns.values() if table.is_unique(column) and _is_short(connection, table, column)]
    if unique:
        return (unique[0],)
    return (table.key,) if table.key is not None else ()


def _share_of_own(connection: sqlite3.Connection, table: FoundTable, column: Column) -> float:
    """The share of rows whose value no other row has."""
    once = f"SELECT 1 FROM {table.loaded.sql} WHERE {column.sql} IS NOT NULL GROUP BY {column.sql} HAVING count(*) = 1"
    return int(connection.execute(f"SELECT count(*) FROM ({once})").fetchone()[0]) / table.loaded.rows


def _is_short(connection: sqlite3.Connection, table: FoundTable, column: Column) -> bool:
    mean = connection.execute(f"SELECT avg(length({column.sql})) FROM {table.loaded.sql}").fetchone()[0]
    return float(mean or 0) <= 30


def _references(connection: sqlite3.Connection, table: FoundTable, tables: list[FoundTable]) -> None:
    by_name = {other.loaded.name.lower(): other for other in tables}
    for reference in table.loaded.references:
        other = by_name.get(reference.table.lower())
        key = other and (other.columns.get(reference.key) if reference.key else other.key)
        if other and key and other.is_unique(key) and reference.column in table.columns:
            table.references[reference.column] = (other, key)
    for name, target in table.declared.references.items():
        noun, _, key_name = target.partition(".")
        other = by_name.get(noun.lower())
        if other is None:
            raise InputError(f"'{table.loaded.name}.{name}' refers to '{noun}', which is empty or skipped", field=name)
        key = other.columns[key_name] if key_name else other.key
        if key is None or not other.is_unique(key):
            raise InputError(
                f"'{table.loaded.name}.{name}' refers to '{target}', whose values are not one for each row",
                file=other.loaded.file,
                field=key_name or None,
            )
        table.references[name] = (other, key)
    for column in table.columns.values():
        if column.name not in table.references and column not in (table.key, *table.label):
            hit = _reference(connection, table, column, tables)
            if hit is not None:
                table.references[column.name] = hit


def _reference(
    connection: sqlite3.Connection, table: FoundTable, column: Column, tables: list[FoundTable]
) -> tuple[FoundTable, Column] | None:
    """Where the values of a column are keys: by its name and nearly all values, or by many values alone."""
    if column.type not in (CellType.INTEGER, CellType.TEXT) or column.distinct < 2:
        return None
    words = words_of(column.name)
    stem = " ".join(words[:-1] if words[-1:] in (["id"], ["code"], ["key"]) else words)
    for by_its_name in (True, False):
        for other in tables:
            key = other.key
            if key is None or key.type is not column.type or key is column:
                continue
            same = " ".join(words) == " ".join(words_of(key.name)) and words not in (["id"], ["name"], ["code"])
            named = same or stem == other.noun or stem.endswith(f" {other.noun}")
            # Numbers are contained in each other by chance, and so are a handful of words.
            if by_its_name != named or (not named and (column.type is CellType.INTEGER or other is table)):
                continue
            inside = _contained(connection, table, column, other, key)
            if inside >= (_CONTAINED if named else 1.0):
                return other, key
    return None


def _contained(
    connection: sqlite3.Connection, table: FoundTable, column: Column, other: FoundTable, key: Column
) -> float:
    """The share of a column's different values (of the first few hundred) that are keys of the other table."""
    values = f"(SELECT DISTINCT {column.sql} AS v FROM {table.loaded.sql} WHERE v IS NOT NULL LIMIT {_VALUES})"
    keys = f"SELECT {key.sql} FROM {other.loaded.sql}"
    inside = connection.execute(f"SELECT avg(v IN ({keys})) FROM {values}").fetchone()[0]
    return float(inside or 0.0)
