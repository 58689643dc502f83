"""The rows that a person can name: by a label that no other row has, or by several keys together."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftrl.synthesis.tables.facts import Entity, Kind
from ftrl.synthesis.tables.tabular.cells import Cell, CellType, written
from ftrl.synthesis.tables.tabular.describe import kind_of, kind_of_keys
from ftrl.synthesis.tables.tabular.find import Column, FoundTable

FEWEST_ENTITIES = 6


@dataclass(frozen=True)
class NamedRows:
    """The entities of a kind: a table of the temporary file, numbered from 1, with the line that each stands in."""

    table: FoundTable
    sql: str
    count: int


class Entities:
    """The entities of all tables.

    Attributes:
        kinds: what the rows of a table are, by its name; tables without enough rows that have a name are missing.
        passed_over: these, each with why.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Sequence[FoundTable]) -> None:
        self.kinds: dict[str, Kind] = {}
        self._connection = connection
        self._rows: dict[Kind, NamedRows] = {}
        connection.create_function("fold", 1, lambda text: text and " ".join(text.casefold().split()))
        too_few: dict[str, NamedRows] = {}
        # Keys are named like what they refer to, so the rows that they tell come last.
        for number, table in sorted(enumerate(tables), key=lambda each: bool(each[1].keys)):
            if _says_nothing(table):
                continue
            rows = self._by_keys(table, f"e{number}") if table.keys else self._by_label(table, f"e{number}")
            if rows.count < FEWEST_ENTITIES:
                too_few[table.loaded.name] = rows
                continue
            targets = [self.of_column(table, column) for column in table.keys]
            kind = kind_of_keys(table, targets) if table.keys else kind_of(table)
            self.kinds[table.loaded.name] = kind
            self._rows[kind] = rows
        self.passed_over = tuple(
            f"{table.loaded.name} ({_why_not(table, too_few.get(table.loaded.name))})"
            for table in tables
            if table.loaded.name not in self.kinds
        )

    def rows(self, kind: Kind) -> NamedRows:
        """Where the members of a kind are."""
        return self._rows[kind]

    def entity(self, kind: Kind, number: int) -> Entity:
        """A member, by its number."""
        sql = f"SELECT * FROM {self._rows[kind].sql} WHERE number = ?"
        _, _, *parts = self._connection.execute(sql, (number,)).fetchone()
        if not kind.keys:
            return Entity(kind, number, parts[0])
        told = [f"{key.noun} {part}" for key, part in zip(kind.keys, parts, strict=True)]
        return Entity(kind, number, f"the {kind.noun} of {', '.join(told[:-1])} and {told[-1]}", tuple(parts))

    def of_column(self, table: FoundTable, column: Column) -> Kind | None:
        """The kind that a column refers to, if it refers to rows that have names."""
        reference = table.references.get(column.name)
        return None if reference is None else self.kinds.get(reference[0].loaded.name)

    def _by_label(self, table: FoundTable, sql: str) -> NamedRows:
        """List the rows whose label is clean and nobody else's, letters large or small."""
        types = [column.type for column in table.label]

        def name(*cells: Cell) -> str | None:
            parts = [written(cell, type_) for cell, type_ in zip(cells, types, strict=True)]
            return " ".join(part for part in parts if part) if all(parts) else None

        run = self._connection.execute
        self._connection.create_function("name_of", len(types), name)
        columns = ", ".join(column.sql for column in table.label)
        run(f"CREATE TABLE {sql} (number INTEGER PRIMARY KEY, line INTEGER, name TEXT)")
        run(
            f"INSERT INTO {sql} (line, name) SELECT min(line), name FROM "
            f"(SELECT rowid AS line, name_of({columns}) AS name FROM {table.loaded.sql}) "
            "WHERE name IS NOT NULL GROUP BY fold(name) HAVING count(*) = 1 ORDER BY 1"
        )
        return self._indexed(table, sql)

    def _by_keys(self, table: FoundTable, sql: str) -> NamedRows:
        """List the rows all of whose keys have a clean name: what a key refers to has one, or its value is one."""
        run = self._connection.execute
        parts, joins = [], []
        for number, column in enumerate(table.keys):
            kind = self.of_column(table, column)
            if kind is None:
                self._connection.create_function(f"name_of_{number}", 1, _writing(column.type))
                parts.append(f"name_of_{number}(t.{column.sql})")
                continue
            others, key = self._rows[kind], table.references[column.name][1]
            referred = others.table.loaded.sql
            run(f"CREATE INDEX IF NOT EXISTS {referred}_{key.sql} ON {referred} ({key.sql})")
            joins.append(
                f"JOIN {referred} AS o{number} ON o{number}.{key.sql} = t.{column.sql} "
                f"JOIN {others.sql} AS n{number} ON n{number}.line = o{number}.rowid"
            )
            parts.append(f"n{number}.name")
        names = [f"p{number}" for number in range(len(parts))]
        run(f"CREATE TABLE {sql} (number INTEGER PRIMARY KEY, line INTEGER, {', '.join(names)})")
        chosen = ", ".join(f"{part} AS {name}" for part, name in zip(parts, names, strict=True))
        run(
            f"INSERT INTO {sql} (line, {', '.join(names)}) SELECT min(line), {', '.join(names)} FROM "
            f"(SELECT t.rowid AS line, {chosen} FROM {table.loaded.sql} AS t {' '.join(joins)}) "
            f"WHERE {' AND '.join(f'{name} IS NOT NULL' for name in names)} "
            f"GROUP BY {', '.join(f'fold({name})' for name in names)} HAVING count(*) = 1 ORDER BY 1"
        )
        return self._indexed(table, sql)

    def _indexed(self, table: FoundTable, sql: str) -> NamedRows:
        run = self._connection.execute
        run(f"CREATE INDEX {sql}_lines ON {sql} (line)")
        return NamedRows(table, sql, int(run(f"SELECT count(*) FROM {sql}").fetchone()[0]))


def _writing(type_: CellType) -> Callable[[Cell], str | None]:
    return lambda cell: written(cell, type_)


def _says_nothing(table: FoundTable) -> bool:
    """Whether no row has a name, or there is nothing to ask about those that several keys tell."""
    return not table.label and (not table.keys or set(table.columns.values()) <= set(table.keys))


def _why_not(table: FoundTable, rows: NamedRows | None) -> str:
    """Why no question is about the rows of a table."""
    if rows is None:
        return "there is nothing beside its key" if table.keys else "no column names a row"
    return f"only {rows.count} of {table.loaded.rows} rows have a name of their own"
