"""Files of rows in the published format, JSONL or Parquet, read and written row by row.

A raw row is a line (bytes) of JSONL or a dictionary of Parquet; ``published.read_task`` understands both.
Reading holds one row (JSONL) or one batch of rows (Parquet); a row can also be reached by its number.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ftrl import storage
from ftrl.environments.schema import Json
from ftrl.errors import InputError

PUBLISHED_COLUMNS = pa.schema(
    [
        ("messages", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
        ("tools", pa.string()),
        ("codes", pa.string()),
        ("unsolved_set", pa.string()),
        ("solve_rate", pa.float64()),
        ("data_source", pa.string()),
        ("split", pa.string()),
        ("answer", pa.string()),
    ]
)
"""One row a task, in the published format."""

BATCH_ROWS = 64
"""Rows of Parquet that are held at once: a few megabytes of tasks."""

READ_BYTES = 4 << 20
"""Bytes that are fetched from S3 at once."""


@dataclass(frozen=True)
class RawRow:
    """A row as it lies in the file.

    Attributes:
        line: its 1-based line (JSONL) or row (Parquet), for messages.
        content: the line's bytes, or the row as a dictionary.
    """

    line: int
    content: bytes | Json


class RowFile(Protocol):
    """A file of rows."""

    path: str

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[RawRow]: ...

    def __getitem__(self, row: int) -> RawRow: ...


def open_rows(path: str) -> RowFile:
    """The rows of a ``.jsonl`` or ``.parquet`` file.

    Raises:
        InputError: there is no such file, or it has another ending.
    """
    if path.endswith(".jsonl"):
        return JsonlRows(path)
    if path.endswith(".parquet"):
        return ParquetRows(path)
    if not storage.exists(path):
        raise InputError("there is no such file or store", file=path)
    raise InputError(
        "this is neither an environment store (a folder with a manifest.json) "
        "nor a file that ends in .jsonl or .parquet",
        file=path,
    )


class JsonlRows:
    """Lines of JSON. Blank lines are no rows, but they count as lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        with _reading(path):
            pass
        self._offsets: tuple[array[int], array[int]] | None = None

    def __iter__(self) -> Iterator[RawRow]:
        with _reading(self.path) as file:
            for line, content in enumerate(file, start=1):
                if content.strip():
                    yield RawRow(line, content)

    def __len__(self) -> int:
        return len(self._index()[0])

    def __getitem__(self, row: int) -> RawRow:
        lines, offsets = self._index()
        if not 0 <= row < len(lines):
            raise IndexError(f"row {row} of {len(lines)}")
        with _reading(self.path) as file:
            file.seek(offsets[row])
            return RawRow(lines[row], file.readline())

    def _index(self) -> tuple[array[int], array[int]]:
        """Line number and byte offset of each row: 16 bytes a row."""
        if self._offsets is None:
            lines, offsets = array("Q"), array("Q")
            position = 0
            with _reading(self.path) as file:
                for line, content in enumerate(file, start=1):
                    if content.strip():
                        lines.append(line)
                        offsets.append(position)
                    position += len(content)
            self._offsets = (lines, offsets)
        return self._offsets


class ParquetRows:
    """Rows of a Parquet file."""

    def __init__(self, path: str) -> None:
        self.path = path
        with self._open() as file:
            metadata = file.metadata
            self._group_rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._held: tuple[int, list[Json]] = (0, [])

    def __len__(self) -> int:
        return sum(self._group_rows)

    def __iter__(self) -> Iterator[RawRow]:
        with self._open() as file:
            line = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for content in batch.to_pylist():
                    line += 1
                    yield RawRow(line, content)

    def __getitem__(self, row: int) -> RawRow:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        first, held = self._held
        if not first <= row < first + len(held):
            first, held = self._held = self._batch_with(row)
        return RawRow(row + 1, held[row - first])

    def _batch_with(self, row: int) -> tuple[int, list[Json]]:
        """The rows around ``row``, and the number of the first of them. Parquet is read group by group."""
        ends = list(itertools.accumulate(self._group_rows))
        group = bisect.bisect_right(ends, row)
        first = ends[group] - self._group_rows[group]
        with self._open() as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group]):
                if row < first + len(batch):
                    return first, batch.to_pylist()
                first += len(batch)
        raise InputError("the file holds fewer rows than its footer says", file=self.path)

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            # Others may have put all rows into one row group: its columns are read in pieces, not whole.
            with (
                _reading(self.path, cache_type="none") as stream,
                pq.ParquetFile(stream, buffer_size=READ_BYTES, pre_buffer=False) as file,
            ):
                yield file
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk or the network, not what is written there
            raise InputError(f"this is no readable Parquet file ({error})", file=self.path) from error


@contextlib.contextmanager
def writing_rows(path: str, columns: Any = PUBLISHED_COLUMNS) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes rows in the published format to ``path``; it appears when the block ends well.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file.
        columns: of Parquet.

    Raises:
        InputError: the path ends neither in ``.jsonl`` nor in ``.parquet``.
    """
    if path.endswith(".jsonl"):
        with storage.writing(path) as file:
            yield lambda row: _write_line(file, row)
    elif path.endswith(".parquet"):
        with storage.writing(path) as file, _ParquetRowWriter(file, columns) as writer:
            yield writer.add
    else:
        raise InputError("the file to write must end in .jsonl or .parquet", file=path)


class _ParquetRowWriter:
    def __init__(self, file: IO[bytes], columns: Any) -> None:
        self._columns = columns
        self._writer = pq.ParquetWriter(file, columns, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) == BATCH_ROWS:
            self._flush()

    def __enter__(self) -> _ParquetRowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self._flush()
            self._writer.close()
        else:
            # The file is given up anyway, and closing can fail for the same reason as writing did.
            with contextlib.suppress(OSError, ValueError):
                self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._columns))
            self._rows = []


def _write_line(file: IO[bytes], row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


@contextlib.contextmanager
def _reading(path: str, cache_type: str = "readahead") -> Iterator[io.BufferedReader]:
    fs, inner = storage.filesystem(path)
    try:
        with (
            fs.open(inner, "rb", block_size=READ_BYTES, cache_type=cache_type) as stream,
            io.BufferedReader(stream, buffer_size=1 << 20) as file,
        ):
            yield file
    except FileNotFoundError as error:
        raise InputError("there is no such file", file=path) from error
    except IsADirectoryError as error:
        raise InputError("this is a folder without a manifest.json, not a file of tasks", file=path) from error
    except PermissionError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
