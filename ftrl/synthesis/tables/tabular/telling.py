"""What was found in the user's tables, in the form in which it can be declared otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ftrl.synthesis.tables.tabular.entities import Entities
from ftrl.synthesis.tables.tabular.find import FoundTable, found
from ftrl.synthesis.tables.tabular.load import loaded
from ftrl.synthesis.tables.tabular.schema import DeclaredSchema, DeclaredTable, declared, plain_words


class TablesFound(NamedTuple):
    """What was found, as a schema; and the tables that no question is about, each with why."""

    schema: DeclaredSchema
    passed_over: tuple[str, ...]


def find_schema(paths: Sequence[str], schema: str | None = None) -> TablesFound:
    """Look at tables as synthesis does, without making anything.

    Args:
        paths: files or folders, local or on S3.
        schema: a YAML file that declares what is not found, if there is one.

    Returns:
        A schema that says, declared, just what is found without it.

    Raises:
        InputError: a file can't be read, the declaration does not fit, or all tables are empty.
    """
    with loaded(paths) as source:
        said = declared(schema, source.tables)
        tables = found(source, said)
        told = {table.loaded.name: _told(table) for table in tables}
        passed_over = Entities(source.connection, tables).passed_over
    return TablesFound(DeclaredSchema(tables=told, skip=said.skip), passed_over)


def _told(table: FoundTable) -> DeclaredTable:
    keys = (table.key,) if table.key is not None else table.keys
    references = {
        name: other.loaded.name if key is other.key else f"{other.loaded.name}.{key.name}"
        for name, (other, key) in table.references.items()
    }
    nouns = {
        column.name: noun
        for column in table.columns.values()
        if not table.tells_nothing(column) and (noun := _declarable(table.noun_of(column)))
    }
    return DeclaredTable(
        noun=_declarable(table.noun),
        key=tuple(column.name for column in keys),
        label=tuple(column.name for column in table.label),
        references=references,
        nouns=nouns,
        ignore=table.declared.ignore,
    )


def _declarable(words: str) -> str | None:
    """The words as they were found; nothing where a declaration may not say them, and they have to be found again."""
    try:
        return words if plain_words(words) == words else None
    except ValueError:
        return None
