"""Reading the user's files: CSV, TSV, Parquet, SQLite and DuckDB, local or on S3, into one temporary SQLite file.

Everything is streamed, and SQLite keeps what does not fit into its cache on disk: memory does not grow with the
tables. There, tables are called t0, t1 … and columns c0, c1 …, whatever they are called at home.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ftrl import storage
from ftrl.errors import InputError
from ftrl.synthesis.tables.tabular.duck import duckdb_tables
from ftrl.synthesis.tables.tabular.readers import Rows, csv_rows, parquet_rows

TEXT_ENDINGS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET_ENDINGS = (".parquet", ".pq")
SQLITE_ENDINGS = (".sqlite", ".sqlite3", ".db", ".db3")
DUCKDB_ENDINGS = (".duckdb", ".ddb")
_KNOWN = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *SQLITE_ENDINGS, *DUCKDB_ENDINGS)
_CACHE_KIB = 32_768


@dataclass(frozen=True)
class DeclaredReference:
    """A foreign key as SQLite knows it; ``key`` is null where it names the primary key by leaving it out."""

    column: str
    table: str
    key: str | None


@dataclass(frozen=True)
class LoadedTable:
    """A table as it lies in the temporary file.

    Attributes:
        name: as the user knows it.
        columns: names in their order; column i is ``c{i}``.
        sql: its name in the temporary file.
        rows: how many.
        file: where it came from.
        key: the columns of the declared primary key, if there is one.
        references: the declared foreign keys of one column.
    """

    name: str
    columns: tuple[str, ...]
    sql: str
    rows: int
    file: str
    key: tuple[str, ...] = ()
    references: tuple[DeclaredReference, ...] = ()

    def column(self, name: str) -> str:
        """A column's name in the temporary file."""
        return f"c{self.columns.index(name)}"


@dataclass(frozen=True)
class Loaded:
    """All tables, an open connection to them, and the digest of the files that they came from."""

    connection: sqlite3.Connection
    tables: tuple[LoadedTable, ...]
    digest: str


@contextmanager
def loaded(paths: Sequence[str]) -> Iterator[Loaded]:
    """Read the files, or folders of files, for as long as the block lasts.

    Raises:
        InputError: a file is missing, of no known kind, broken, or two tables share a name.
    """
    with TemporaryDirectory(prefix="ftrl-tables-") as folder:
        connection = sqlite3.connect(f"{folder}/tables.sqlite", isolation_level=None)
        try:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
                connection.execute(f"PRAGMA {pragma}")
            tables: list[LoadedTable] = []
            digest = hashlib.sha256()
            for path in paths:
                for file in _files(path):
                    copy = Path(folder) / f"input{Path(file).suffix.lower()}"
                    _copy(file, copy, digest)
                    tables += _load(connection, file, copy, len(tables))
                    copy.unlink()
            _refuse_twins(tables)
            yield Loaded(connection, tuple(tables), digest.hexdigest())
        finally:
            connection.close()


def _files(path: str) -> list[str]:
    fs, inner = storage.filesystem(path)
    if fs.isfile(inner):
        if not _is_known(path):
            endings = ", ".join(_KNOWN)
            raise InputError(f"tables are read from files that end with {endings}", file=path)
        return [path]
    if not fs.exists(inner):
        raise InputError("there is no such file or folder", file=path)
    names = sorted(str(name).rstrip("/").rpartition("/")[2] for name in fs.ls(inner, detail=False))
    files = [storage.join(path, name) for name in names if not name.startswith(".") and _is_known(name)]
    if not files:
        raise InputError("there is no CSV, TSV, Parquet, SQLite or DuckDB file in this folder", file=path)
    return files


def _is_known(path: str) -> bool:
    return path.lower().endswith(_KNOWN)


def _copy(file: str, copy: Path, digest: hashlib._Hash) -> None:
    """Bring a file here. It is read twice, and neither SQLite nor Parquet can be read as a stream."""
    fs, inner = storage.filesystem(file)
    with fs.open(inner, "rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    with copy.open("rb") as again:
        while block := again.read(1 << 20):
            digest.update(block)


def _load(connection: sqlite3.Connection, file: str, copy: Path, number: int) -> list[LoadedTable]:
    if copy.suffix in SQLITE_ENDINGS:
        return _load_sqlite(connection, file, copy, number)
    if copy.suffix in DUCKDB_ENDINGS:
        with duckdb_tables(copy, file) as found:
            return [
                _filled(connection, one.name, one.columns, one.rows, file, number + at, one.key)
                for at, one in enumerate(found)
            ]
    if copy.suffix in PARQUET_ENDINGS:
        columns, rows = parquet_rows(copy, file)
    else:
        columns, rows = csv_rows(copy, file, TEXT_ENDINGS[copy.suffix])
    name = Path(file.rstrip("/").rpartition("/")[2]).stem
    return [_filled(connection, name, columns, rows, file, number)]


def _filled(
    connection: sqlite3.Connection,
    name: str,
    columns: tuple[str, ...],
    rows: Rows,
    file: str,
    number: int,
    key: tuple[str, ...] = (),
) -> LoadedTable:
    """Put rows into a table of the temporary file."""
    sql = f"t{number}"
    # Without types: SQLite would turn 007 into 7.
    connection.execute(f"CREATE TABLE {sql} ({', '.join(f'c{i}' for i in range(len(columns)))})")
    count = 0
    insert = f"INSERT INTO {sql} VALUES ({', '.join('?' * len(columns))})"
    connection.execute("BEGIN")
    for block in rows:
        connection.executemany(insert, block)
        count += len(block)
    connection.execute("COMMIT")
    return LoadedTable(name, columns, sql, count, file, key)


def _load_sqlite(connection: sqlite3.Connection, file: str, copy: Path, number: int) -> list[LoadedTable]:
    tables: list[LoadedTable] = []
    attached = False
    try:
        connection.execute("ATTACH DATABASE ? AS source", (str(copy),))
        attached = True
        found = "SELECT name FROM source.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        for (name,) in connection.execute(f"{found} ORDER BY name").fetchall():
            tables.append(_load_sqlite_table(connection, file, name, number + len(tables)))
    except sqlite3.DatabaseError as error:
        raise InputError(f"this is not a SQLite database that can be read ({error})", file=file) from error
    finally:
        if attached:
            connection.execute("DETACH DATABASE source")
    if not tables:
        raise InputError("this SQLite database has no tables", file=file)
    return tables


def _load_sqlite_table(connection: sqlite3.Connection, file: str, name: str, number: int) -> LoadedTable:
    quoted = _quoted(name)
    described = connection.execute(f"PRAGMA source.table_info({quoted})").fetchall()
    columns = tuple(str(row[1]) for row in described)
    keys = tuple(str(row[1]) for row in sorted(described, key=lambda row: int(row[5])) if row[5])
    foreign: dict[int, list[tuple[str, str, str | None]]] = {}
    for row in connection.execute(f"PRAGMA source.foreign_key_list({quoted})"):
        foreign.setdefault(row[0], []).append((row[3], row[2], row[4]))
    references = tuple(DeclaredReference(*parts[0]) for _, parts in sorted(foreign.items()) if len(parts) == 1)
    sql = f"t{number}"
    connection.execute(f"CREATE TABLE {sql} ({', '.join(f'c{i}' for i in range(len(columns)))})")
    cursor = connection.execute(
        f"INSERT INTO {sql} SELECT {', '.join(map(_as_csv_has_it, columns))} FROM source.{quoted}",
    )
    return LoadedTable(name, columns, sql, cursor.rowcount, file, keys, references)


def _as_csv_has_it(column: str) -> str:
    """Whole numbers as texts, so that references from one kind of file to another hold."""
    cell = _quoted(column)
    return f"CASE typeof({cell}) WHEN 'integer' THEN CAST({cell} AS TEXT) ELSE {cell} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse_twins(tables: Iterable[LoadedTable]) -> None:
    first: dict[str, LoadedTable] = {}
    for table in tables:
        other = first.setdefault(table.name.lower(), table)
        if other is not table:
            raise InputError(f"there is a table '{table.name}' in {other.file} already; rename one", file=table.file)
