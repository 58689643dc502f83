"""A table as a sequence of Parquet files ("parts"): written in bounded row groups, read row by row.

Parts are written under a name that no reader looks at, and get their own name only by ``publish``; on S3 the
upload is completed only then. Reading holds a few row groups in memory, however large the table is.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ftrl import storage
from ftrl.environments.schema import Record
from ftrl.errors import InputError

GROUP_BYTES = 4 << 20
"""A row group is closed at about this much text: the unit in which rows are read back, and held in memory."""

PART_BYTES = 512 << 20
"""A part is closed at about this much text: the unit that Ray Data hands to one task."""

UPLOAD_BYTES = 8 << 20
"""Bytes that a part on its way to S3 gathers before they are sent: at 10,000 pieces an object, 80 GB at most."""

CACHED_GROUPS = 8
"""Row groups kept in memory for reading single rows."""

PART_NAME = re.compile(r"\.?[0-9a-f]{12}-\d{5}\.parquet(\.tmp)?")
"""How parts are called, published or on their way."""


class Part(Record):
    """One Parquet file of a table: its path below the store, and how many rows it holds."""

    name: str
    rows: int


class PartsWriter:
    """Writes rows into new parts of a table.

    Args:
        root: the store's path.
        table: the folder of the table below it.
        columns: the Arrow schema of the rows.
        token: twelve hexadecimal digits that no other writer of this store uses; parts are named by them.
        plain: columns with few distinct values, which get a dictionary and statistics.
    """

    def __init__(self, root: str, table: str, columns: pa.Schema, token: str, plain: Sequence[str] = ()) -> None:
        self._root = root
        self._table = table
        self._columns = columns
        self._token = token
        self._plain = list(plain)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._part_bytes = 0
        self._open: _PendingPart | None = None
        self._closed: list[_PendingPart] = []

    def add(self, row: dict[str, Any]) -> None:
        """Append one row."""
        self._rows.append(row)
        self._bytes += _weight(row)
        if self._bytes >= GROUP_BYTES:
            self._write_group()
        if self._part_bytes >= PART_BYTES:
            self._close_part()

    def close(self) -> list[Part]:
        """Write what is left. The parts are complete, but nobody sees them yet."""
        self._write_group()
        self._close_part()
        return [Part(name=part.name, rows=part.rows) for part in self._closed]

    def publish(self) -> None:
        """Give the parts their names."""
        for part in self._closed:
            part.publish()

    def discard(self) -> None:
        """Remove every part written, published or not."""
        for part in [*self._closed, *([self._open] if self._open else [])]:
            part.discard()
        self._open, self._closed, self._rows = None, [], []

    def _write_group(self) -> None:
        if not self._rows:
            return
        if self._open is None:
            name = f"{self._table}/{self._token}-{len(self._closed):05d}.parquet"
            self._open = _PendingPart(self._root, name, self._columns, self._plain)
        self._open.write(pa.Table.from_pylist(self._rows, schema=self._columns))
        self._part_bytes += self._bytes
        self._rows, self._bytes = [], 0

    def _close_part(self) -> None:
        if self._open is not None:
            self._open.close()
            self._closed.append(self._open)
            self._open, self._part_bytes = None, 0


class _PendingPart:
    """One part on its way."""

    def __init__(self, root: str, name: str, columns: pa.Schema, plain: list[str]) -> None:
        self.name = name
        self.rows = 0
        self._published = False
        self._path = storage.join(root, name)
        self._fs, self._inner = storage.filesystem(self._path)
        self._final = Path(self._inner) if storage.is_local(self._path) else None
        with self._writable():
            if self._final is not None:
                self._pending = self._final.with_name(f".{self._final.name}.tmp")
                self._pending.parent.mkdir(parents=True, exist_ok=True)
                self._stream: Any = self._pending.open("wb")
            else:
                self._stream = self._fs.open(self._inner, "wb", autocommit=False, block_size=UPLOAD_BYTES)
        self._parquet = pq.ParquetWriter(
            self._stream,
            columns,
            compression="zstd",
            compression_level=9,
            use_dictionary=plain,
            write_statistics=plain,
        )

    def write(self, table: pa.Table) -> None:
        with self._writable():
            self._parquet.write_table(table, row_group_size=max(1, len(table)))
        self.rows += len(table)

    def close(self) -> None:
        with self._writable():
            self._parquet.close()
            if self._final is not None:
                self._stream.flush()
                os.fsync(self._stream.fileno())
            self._stream.close()

    def publish(self) -> None:
        if self._final is not None:
            self._pending.replace(self._final)
        else:
            self._stream.commit()
        self._published = True

    def discard(self) -> None:
        # The disk may be full or the connection gone: closing can fail for the reason that made us give up.
        with contextlib.suppress(OSError, ValueError):
            self._parquet.close()
        if self._final is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._pending.unlink(missing_ok=True)
            self._final.unlink(missing_ok=True)
        elif self._published:
            self._fs.rm_file(self._inner)
        else:
            with contextlib.suppress(OSError):
                self._stream.discard()
            self._stream.closed = True

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise InputError(f"nothing can be written here ({error}); choose another place", file=self._path) from error


class PartsReader:
    """Reads the rows of a table: in order with flat memory, or one by its number.

    Safe to use from several threads.
    """

    def __init__(self, root: str, parts: Sequence[Part]) -> None:
        self._root = root
        self._parts = list(parts)
        self._ends = list(itertools.accumulate(part.rows for part in parts))
        self._footers: dict[int, Any] = {}
        self._group_ends: dict[int, list[int]] = {}
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(len(self._parts)):
            with self._open(number) as file:
                for group in range(file.num_row_groups):
                    for batch in file.read_row_group(group).to_batches(max_chunksize=64):
                        yield from batch.to_pylist()

    def column(self, name: str) -> Iterator[Any]:
        """The values of one column, in order; the other columns are not read."""
        for number in range(len(self._parts)):
            with self._open(number) as file:
                for group in range(file.num_row_groups):
                    yield from file.read_row_group(group, columns=[name]).column(name).to_pylist()

    def row(self, index: int) -> dict[str, Any]:
        """The row with this 0-based number.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = bisect.bisect_right(self._ends, index)
        within = index - (self._ends[number - 1] if number else 0)
        with self._lock:
            if number not in self._group_ends:
                with self._open(number) as file:
                    rows = (file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
                    self._group_ends[number] = list(itertools.accumulate(rows))
            ends = self._group_ends[number]
            group = bisect.bisect_right(ends, within)
            table = self._group(number, group)
        within -= ends[group - 1] if group else 0
        row: dict[str, Any] = table.slice(within, 1).to_pylist()[0]
        return row

    def _group(self, number: int, group: int) -> pa.Table:
        key = (number, group)
        if key in self._groups:
            self._groups.move_to_end(key)
        else:
            with self._open(number) as file:
                self._groups[key] = file.read_row_group(group)
            if len(self._groups) > CACHED_GROUPS:
                self._groups.popitem(last=False)
        return self._groups[key]

    @contextlib.contextmanager
    def _open(self, number: int) -> Iterator[pq.ParquetFile]:
        path = storage.join(self._root, self._parts[number].name)
        fs, inner = storage.filesystem(path)
        try:
            with contextlib.ExitStack() as stack:
                source = inner if storage.is_local(path) else stack.enter_context(fs.open(inner, cache_type="none"))
                file = stack.enter_context(pq.ParquetFile(source, metadata=self._footers.get(number), pre_buffer=True))
                self._footers[number] = file.metadata
                yield file
        except FileNotFoundError as error:
            raise InputError(
                "this part of the store is missing: the store was replaced while it was read, or is damaged; "
                "open it again, or restore the file",
                file=path,
            ) from error
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk or the network, not what is written there
            raise InputError(f"this part of the store is damaged ({error}); restore the file", file=path) from error


def _weight(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, str):
        return len(value) + 8
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return 8 + sum(map(_weight, value))
    return 8
