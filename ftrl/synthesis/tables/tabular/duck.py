"""DuckDB files, where the package duckdb is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrl.errors import InputError
from ftrl.synthesis.tables.tabular.readers import Rows, cell_of

_BATCH_ROWS = 4_096


@dataclass(frozen=True)
class DuckTable:
    """A table of a DuckDB file, read once."""

    name: str
    columns: tuple[str, ...]
    rows: Rows
    key: tuple[str, ...]


@contextmanager
def duckdb_tables(copy: Path, file: str) -> Iterator[Iterator[DuckTable]]:
    """The tables of a DuckDB file, one after the other, for as long as the block lasts.

    Args:
        copy: the file.
        file: its name in messages.

    Raises:
        InputError: duckdb is not installed, or this is no DuckDB file.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            "DuckDB files are read by the package duckdb, which is not installed; pip install 'ftrl[duckdb]'", file=file
        ) from error
    try:
        connection = duckdb.connect(str(copy), read_only=True)
    except duckdb.Error as error:
        raise InputError(f"this is not a DuckDB file that can be read ({error})", file=file) from error
    try:
        yield _tables(connection)
    finally:
        connection.close()


def _tables(connection: Any) -> Iterator[DuckTable]:
    # What is seen here of a connection is the same in every version; the package has no types of its own everywhere.
    declared = connection.execute(
        "SELECT table_name, constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
    )
    keys = dict(declared.fetchall())
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary ORDER BY table_name"
    ).fetchall()
    for (name,) in names:
        quoted = '"' + name.replace('"', '""') + '"'
        cursor = connection.execute(f"SELECT * FROM {quoted}")
        columns = tuple(str(column[0]) for column in cursor.description)
        yield DuckTable(name, columns, _rows(cursor), tuple(keys.get(name, ())))


def _rows(cursor: Any) -> Rows:
    while block := cursor.fetchmany(_BATCH_ROWS):
        yield [tuple(cell_of(value) for value in row) for row in block]
