"""The Parquet files of a trajectory store: written whole, read in pieces."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ftrl import storage
from ftrl.errors import InputError
from ftrl.rollouts.columns import FEW_VALUES, TRAJECTORY_COLUMNS, trajectory_to_row
from ftrl.rollouts.trajectory import Trajectory

PARTS = "parts"

BATCH_ROWS = 64
"""Whole episodes that are held at once."""

NARROW_BATCH_ROWS = 4096
"""Rows that are held at once where only some columns are read."""

GROUP_BYTES = 16 << 20
"""A row group is written once its rows take so much memory; compression finds repetitions within one."""


def write_part(store: str, number: int, trajectories: Sequence[Trajectory]) -> str:
    """Write episodes as a new part; returns its name. Nobody sees it until the manifest names it."""
    rows = [trajectory_to_row(trajectory) for trajectory in trajectories]
    return write_tables(store, number, [pa.Table.from_pylist(rows, schema=TRAJECTORY_COLUMNS)])


def write_tables(store: str, number: int, tables: Iterable[pa.Table]) -> str:
    """Write tables of ``TRAJECTORY_COLUMNS`` as a new part, a row group at a time; returns its name."""
    name = f"{PARTS}/{number:06d}-{uuid.uuid4().hex[:12]}.parquet"
    with (
        storage.writing(storage.join(store, name)) as file,
        pq.ParquetWriter(
            file,
            TRAJECTORY_COLUMNS,
            compression="zstd",
            compression_level=9,
            use_dictionary=list(FEW_VALUES),
        ) as writer,
    ):
        held: list[pa.Table] = []
        for table in tables:
            held.append(table)
            if sum(one.nbytes for one in held) >= GROUP_BYTES:
                writer.write_table(pa.concat_tables(held))
                held = []
        if held:
            writer.write_table(pa.concat_tables(held))
    return name


def read_batches(path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """A part in pieces; columns that it does not have yet, being of an earlier version, are null.

    Args:
        path: of the part.
        columns: those to read, all if None; the bytes of the others are not fetched.

    Raises:
        InputError: the part is missing or damaged.
    """
    wanted = TRAJECTORY_COLUMNS if columns is None else pa.schema([TRAJECTORY_COLUMNS.field(name) for name in columns])
    rows = BATCH_ROWS if columns is None else NARROW_BATCH_ROWS
    with _open(path) as file:
        there = [name for name in wanted.names if name in file.schema_arrow.names]
        # Parts are small: threads would gain little, and pyarrow's may abort a process that is just ending.
        for batch in file.iter_batches(batch_size=rows, columns=there, use_threads=False):
            yield pa.table(
                [
                    batch.column(field.name).cast(field.type)
                    if field.name in there
                    else pa.nulls(batch.num_rows, field.type)
                    for field in wanted
                ],
                schema=wanted,
            )


@contextmanager
def _open(path: str) -> Iterator[Any]:
    fs, inner = storage.filesystem(path)
    try:
        with fs.open(inner, "rb", cache_type="none") as stream, pq.ParquetFile(stream, pre_buffer=False) as file:
            yield file
    except FileNotFoundError as error:
        raise InputError("this part of the store is missing; restore the file", file=path) from error
    except pa.ArrowInvalid as error:
        raise InputError(f"this part of the store is damaged ({error}); restore it", file=path) from error
