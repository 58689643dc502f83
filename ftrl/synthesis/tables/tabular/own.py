"""The user's tables as ``Facts``: rows with a name are entities, columns are relations, references lead on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ftrl.errors import InputError
from ftrl.synthesis.tables.facts import Entity, Fact, Kind, NothingToAsk, Relation, Row, Rows
from ftrl.synthesis.tables.sound import can_be_guessed, stands_in
from ftrl.synthesis.tables.tabular.belongings import queries_over, rows_of
from ftrl.synthesis.tables.tabular.cells import Cell, CellType, rank, written
from ftrl.synthesis.tables.tabular.describe import column_noun, relation_of
from ftrl.synthesis.tables.tabular.entities import FEWEST_ENTITIES, Entities
from ftrl.synthesis.tables.tabular.find import Column, FoundTable, found
from ftrl.synthesis.tables.tabular.load import Loaded, loaded
from ftrl.synthesis.tables.tabular.schema import declared

TEST_SHARE = 5
"""One entity in so many is for the test split: no question of either split starts from one of the other's."""

FEWEST_ROWS, MOST_ROWS = 4, 12
"""Rows that refer to one row, for questions about them: fewer say too little, more are too much for a tool to hold."""

_SAMPLE = 300
_FEWEST_VALUES = 4
_SHARE_OF_ANSWERS = 0.25
_LARGEST_SHARE = 0.6


@dataclass(frozen=True)
class _Source:
    """Where a relation is looked up; ``target`` and ``key`` where it is a reference."""

    sql: str
    type: CellType
    target: Kind | None = None
    key: str = ""


@dataclass(frozen=True)
class _Belongings:
    """Where the rows are that refer to others: ``names`` is the table of their names, if they have any."""

    sql: str
    reference: str
    measure: str
    type: CellType
    key: str
    names: str | None


class TableFacts:
    """Facts of the user's tables. Made by ``table_facts``, usable while its block lasts."""

    def __init__(self, source: Loaded, tables: Sequence[FoundTable], split: str) -> None:
        self._connection = source.connection
        self._digest = source.digest
        self._split = split
        self._sources: dict[str, _Source] = {}
        self._relations: tuple[Relation, ...] = ()
        self._queries: tuple[Relation, ...] = ()
        self._entities = Entities(source.connection, tables)
        self.passed_over = self._entities.passed_over
        self._belongings: dict[str, _Belongings] = {}
        self._relate(tables, self._entities.kinds)
        self._relate_rows(tables, self._entities.kinds)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Every relation that questions can be about, table by table."""
        return self._relations

    @property
    def provenance(self) -> dict[str, Any]:
        """The digest of the files: their names say nothing of what is in them."""
        return {"tables": self._digest}

    def relations_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The relations whose subject is of this kind."""
        return tuple(relation for relation in self._relations if relation.subject == kind)

    @property
    def queries(self) -> tuple[Relation, ...]:
        """Every relation that filters or adds up rows that refer to one row."""
        return self._queries

    def queries_of(self, kind: Kind) -> tuple[Relation, ...]:
        """The queries whose subject is of this kind."""
        return tuple(relation for relation in self._queries if relation.subject == kind)

    def rows(self, rows: Rows, subject: Entity) -> tuple[Row, ...]:
        """The rows that refer to the subject's; nothing where some of them can't be read, or told apart."""
        place = self._belongings[rows.key]
        owners = self._entities.rows(subject.kind)
        names = f"LEFT JOIN {place.names} AS n ON n.line = t.rowid" if place.names else ""
        found = self._connection.execute(
            f"SELECT {'n.number, n.name' if place.names else 'NULL, NULL'}, t.{place.measure} "
            f"FROM {place.sql} AS t {names} WHERE t.{place.reference} = (SELECT o.{place.key} FROM {owners.sql} AS e "
            f"JOIN {owners.table.loaded.sql} AS o ON o.rowid = e.line WHERE e.number = ?) LIMIT {MOST_ROWS + 1}",
            (subject.number,),
        ).fetchall()
        made = []
        for number, name, cell in found:
            text = written(cell, place.type)
            order = None if text is None else rank(text, place.type)
            if text is None or order is None or (place.names and name is None):
                return ()
            entity = Entity(rows.label, number, name) if isinstance(rows.label, Kind) else None
            made.append(Row(name, entity, text, order))
        return tuple(made) if FEWEST_ROWS <= len(made) <= MOST_ROWS else ()

    def stranger(self, kind: Kind, rng: Random) -> Entity:
        """Any row with a name."""
        return self._entities.entity(kind, rng.randrange(self._entities.rows(kind).count) + 1)

    def draw(self, kind: Kind, rng: Random) -> Entity:
        """A row of the split."""
        for _ in range(50 * TEST_SHARE):
            entity = self.stranger(kind, rng)
            is_test = hashlib.blake2b(entity.name.encode(), digest_size=2).digest()[0] % TEST_SHARE == 0
            if is_test == (self._split == "test"):
                return entity
        raise NothingToAsk(f"no {kind.noun} is in the split '{self._split}': there are too few")

    def fact(self, relation: Relation, subject: Entity) -> Fact | None:
        """What the subject's row says; null where its cell is empty, unclean, or leads to a row without a name."""
        source = self._sources[relation.key]
        rows = self._entities.rows(relation.subject)
        place = f"FROM {rows.sql} AS e JOIN {rows.table.loaded.sql} AS t ON t.rowid = e.line WHERE e.number = ?"
        cell: Cell = self._connection.execute(f"SELECT t.{source.sql} {place}", (subject.number,)).fetchone()[0]
        if source.target is None:
            text = written(cell, source.type)
            return None if text is None else Fact(relation, subject, None, text, rank(text, source.type))
        others = self._entities.rows(source.target)
        hit = self._connection.execute(
            f"SELECT e.number, e.name FROM {others.table.loaded.sql} AS t JOIN {others.sql} AS e ON e.line = t.rowid "
            f"WHERE t.{source.key} = ?",
            (cell,),
        ).fetchone()
        return Fact(relation, subject, Entity(source.target, *hit), hit[1]) if hit else None

    def _relate(self, tables: Sequence[FoundTable], kinds: dict[str, Kind]) -> None:
        asked = [
            (table, column, kinds[table.loaded.name])
            for table in tables
            if table.loaded.name in kinds
            for column in table.columns.values()
            if not table.tells_nothing(column)
        ]
        nouns = Counter(column_noun(table, column) for table, column, _ in asked)
        taken: set[str] = set()
        for table, column, kind in asked:
            source = self._source(table, column, kinds)
            ambiguous = nouns[column_noun(table, column)] > 1
            if source is None:
                continue
            relation = relation_of(table, column, kind, source.target, ambiguous)
            if relation is None or taken & set(relation.nouns):
                continue
            self._sources[relation.key] = source
            if self._is_worth_asking(relation):
                taken.update(relation.nouns)
                self._relations += (relation,)

    def _relate_rows(self, tables: Sequence[FoundTable], kinds: dict[str, Kind]) -> None:
        """What can be asked about rows that refer to a row."""
        taken = {noun for relation in self._relations for noun in relation.nouns}
        for table in tables:
            # Several keys together are no answer, so rows that only these tell have no label.
            kind = None if table.keys else kinds.get(table.loaded.name)
            for name, (other, key) in table.references.items():
                owner = kinds.get(other.loaded.name)
                reference = table.columns[name]
                figures = [c for c in table.columns.values() if c.name not in table.references]
                for measure in figures if owner else ():
                    opaque = measure.name.lower().endswith("id") or table.tells_nothing(measure)
                    rows = None if opaque else rows_of(table, reference, measure, kind)
                    if rows is None or owner is None:
                        continue
                    names = self._entities.rows(kind).sql if kind else None
                    place = (table.loaded.sql, reference.sql, measure.sql, measure.type, key.sql, names)
                    self._belongings[rows.key] = _Belongings(*place)
                    self._connection.execute(
                        f"CREATE INDEX IF NOT EXISTS {table.loaded.sql}_{reference.sql} "
                        f"ON {table.loaded.sql} ({reference.sql})"
                    )
                    if not self._has_rows(rows, owner):
                        continue
                    for relation in queries_over(rows, owner, table.noun_of(reference)):
                        nouns = tuple(noun for noun in relation.nouns if noun not in taken)
                        if nouns:
                            taken.update(nouns)
                            self._queries += (replace(relation, nouns=nouns),)

    def _has_rows(self, rows: Rows, owner: Kind) -> bool:
        """Whether enough entities have a handful of rows, with different figures."""
        count = self._entities.rows(owner).count
        step = max(1, count // _SAMPLE)
        enough = 0
        for number in range(1, count + 1, step):
            belongings = self.rows(rows, self._entities.entity(owner, number))
            enough += len({row.rank for row in belongings}) >= FEWEST_ROWS
            if enough >= FEWEST_ENTITIES:
                return True
        return False

    def _source(self, table: FoundTable, column: Column, kinds: dict[str, Kind]) -> _Source | None:
        """How a column is looked up; null for numbers that lead somewhere, but nowhere that has names."""
        reference = table.references.get(column.name)
        if reference is None:
            opaque = column.name.lower().endswith("id") and column.type is CellType.INTEGER
            return None if opaque else _Source(column.sql, column.type)
        other, key = reference
        target = kinds.get(other.loaded.name)
        if target is None:
            return _Source(column.sql, column.type) if column.type is CellType.TEXT else None
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS {other.loaded.sql}_{key.sql} ON {other.loaded.sql} ({key.sql})"
        )
        return _Source(column.sql, column.type, target, key.sql)

    def _is_worth_asking(self, relation: Relation) -> bool:
        """Whether enough rows have different answers, that can't be guessed or read off the row's name."""
        count = self._entities.rows(relation.subject).count
        step = max(1, count // _SAMPLE)
        sample = [self._entities.entity(relation.subject, number) for number in range(1, count + 1, step)]
        known = [fact for entity in sample if (fact := self.fact(relation, entity))]
        answers = Counter(
            fact.value
            for fact in known
            if not can_be_guessed(fact.value) and not stands_in(fact.subject.name, fact.value)
        )
        usable = answers.total()
        if len(answers) < _FEWEST_VALUES or usable < FEWEST_ENTITIES or usable < _SHARE_OF_ANSWERS * len(sample):
            return False
        return answers.most_common(1)[0][1] <= _LARGEST_SHARE * usable


@contextmanager
def table_facts(paths: Sequence[str], schema: str | None, split: str) -> Iterator[TableFacts]:
    """The user's tables as facts, for as long as the block lasts.

    Args:
        paths: files or folders, local or on S3.
        schema: a YAML file that declares what is not found, if there is one.
        split: train or test.

    Raises:
        InputError: a file can't be read, the declaration does not fit, or nothing can be asked about.
    """
    with loaded(paths) as source:
        facts = TableFacts(source, found(source, declared(schema, source.tables)), split)
        if not facts.relations:
            raise InputError(
                "nothing in these tables can be asked about: it takes rows with names or numbers of their own, and "
                "columns with different values; say what names a row with --schema",
                file=", ".join(paths),
            )
        yield facts
