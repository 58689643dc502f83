"""CSV and Parquet files as columns and blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ftrl.errors import InputError
from ftrl.synthesis.tables.tabular.cells import Cell

Rows = Iterator[list[tuple[Cell, ...]]]

_BLOCK_BYTES = 4 << 20
_BATCH_ROWS = 4_096


def csv_rows(copy: Path, file: str, delimiter: str) -> tuple[tuple[str, ...], Rows]:
    """The columns and rows of a CSV or TSV file with a header; every cell is a text.

    Args:
        copy: the file.
        file: its name in messages.
        delimiter: as the ending says; a header without it but with ``;`` or tabs is believed instead.

    Raises:
        InputError: it is empty, not UTF-8, or a row has more or fewer fields than the header.
    """
    columns, delimiter = _header(copy, file, delimiter)
    return columns, _csv_blocks(copy, file, delimiter, columns)


def _header(copy: Path, file: str, delimiter: str) -> tuple[tuple[str, ...], str]:
    import csv

    try:
        with copy.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            for other in (delimiter, ";", "\t"):
                if delimiter not in first and other in first:
                    delimiter = other
            lines.seek(0)
            columns = tuple(name.strip() for name in next(csv.reader(lines, delimiter=delimiter), []))
    except UnicodeDecodeError as error:
        raise _not_utf8(copy, file) from error
    if not columns or columns == ("",):
        raise InputError("this file is empty; its first line must name the columns", file=file, line=1)
    _check_names(columns, file)
    return columns, delimiter


def _check_names(columns: Sequence[str], file: str) -> None:
    seen: set[str] = set()
    for number, name in enumerate(columns, start=1):
        if not name:
            raise InputError(f"column {number} has no name", file=file, line=1)
        if name.lower() in seen:
            raise InputError("two columns have this name; rename one", file=file, line=1, field=name)
        seen.add(name.lower())


def _csv_blocks(copy: Path, file: str, delimiter: str, columns: tuple[str, ...]) -> Rows:
    import pyarrow as pa
    from pyarrow import csv

    uneven: list[str] = []

    def refuse(row: Any) -> str:
        uneven.append(f"this row has {row.actual_columns} fields, the header {row.expected_columns}")
        lines.append(row.number)
        return "error"

    lines: list[int | None] = []
    try:
        reader = csv.open_csv(
            copy,
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK_BYTES,
                skip_rows=1,
                column_names=[f"c{i}" for i in range(len(columns))],
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
            convert_options=csv.ConvertOptions(
                column_types={f"c{i}": pa.string() for i in range(len(columns))}, strings_can_be_null=False
            ),
        )
        for batch in reader:
            yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    except pa.ArrowInvalid as error:
        if uneven:
            raise InputError(uneven[0], file=file, line=lines[0]) from error
        if "UTF8" in str(error):
            raise _not_utf8(copy, file) from error
        if "Empty CSV" not in str(error):
            raise InputError(f"this CSV can't be read: {error}", file=file) from error


def _not_utf8(copy: Path, file: str) -> InputError:
    with copy.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return InputError("this line is not UTF-8; save the file as UTF-8", file=file, line=number)
    return InputError("this file is not UTF-8; save it as UTF-8", file=file)


def parquet_rows(copy: Path, file: str) -> tuple[tuple[str, ...], Rows]:
    """The columns and rows of a Parquet file; nested columns are null throughout.

    Raises:
        InputError: it is no Parquet file, or two columns share a name.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(copy)
    except pa.ArrowInvalid as error:
        raise InputError(f"this is not a Parquet file that can be read ({error})", file=file) from error
    columns = tuple(opened.schema_arrow.names)
    _check_names(columns, file)

    def blocks() -> Rows:
        try:
            for batch in opened.iter_batches(batch_size=_BATCH_ROWS):
                yield list(zip(*([cell_of(value) for value in c.to_pylist()] for c in batch.columns), strict=True))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"this Parquet file is broken: {error}", file=file) from error

    return columns, blocks()


def cell_of(value: object) -> Cell:
    """A value of a typed file as CSV would have it; null for lists, structures and what else is no cell."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (str, float, bytes)):
        return value
    if isinstance(value, int):
        return str(value)  # as CSV has it, so that references from one kind of file to another hold
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return str(value) if isinstance(value, (date, Decimal)) else None
