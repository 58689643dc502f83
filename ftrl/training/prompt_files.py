"""An iteration's prompts on disk, tokenised once, in the order in which they are trained on.

::

    PROMPTS/0001/00000.parquet …    the prompts of a share: ``PROMPT_COLUMNS``, in order
    PROMPTS/0001/share.json         which trajectories they were made of; written last
    PROMPTS/0002/…                  what was collected later, if training began before (``overlap``)

The order is a sort by random numbers, too large for memory: rows are spilled to buckets by the numbers' first bits,
and each bucket is sorted by itself. Whoever reads holds one row group; whoever goes on in the middle opens none that
lies before.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from ftrl import storage
from ftrl.training.config import SelectConfig
from ftrl.training.selection import SELECTING_COLUMNS, Selected, Selection
from ftrl.training.snapshot_rows import PROMPT_COLUMNS, ROW_COLUMNS

SPILL_BYTES = 32 << 20
"""Rows that are held before they are spilled."""

EPISODES_PER_BUCKET, MOST_BUCKETS = 1024, 256
"""A bucket is sorted in memory, and all of them are open files while rows are spilled."""

GROUP_ROWS = 128
"""Rows of a row group: what a reader holds."""

SHARE = "share.json"


class Share(BaseModel):
    """Prompts that were made in one go.

    Attributes:
        parts: names of the trajectory store's parts that they were made of.
        selected: what became of their snapshots.
    """

    model_config = ConfigDict(frozen=True)

    parts: tuple[str, ...]
    selected: Selected


class PromptFiles:
    """The folder of an iteration's prompts, which may not be there yet.

    Args:
        folder: where it is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shares(self) -> list[Share]:
        """The shares that are whole, in order."""
        return [Share.model_validate_json((folder / SHARE).read_bytes()) for folder in self._shares()]

    def count(self) -> int:
        """How many prompts there are."""
        return sum(share.selected.prompts for share in self.shares())

    def add(self, parts: Iterable[str], episodes: int, rows: Iterable[pa.Table], select: SelectConfig) -> Share:
        """Make a share of rows (``ROW_COLUMNS``), which may come in any order.

        Args:
            parts: names of the store's parts that they are made of.
            episodes: of how many trajectories, about: decides into how many files they go.
            rows: taken once; at most ``SPILL_BYTES`` of them are held.
            select: what is left out.
        """
        folder = self._folder / f"{len(self._shares()) + 1:04d}"
        making = folder.with_name(f".{folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)  # of a run that was killed
        making.mkdir(parents=True)
        buckets = [making / f"{number:05d}.rows" for number in range(_buckets(episodes))]
        snapshots, left_out = _spill(rows, buckets)
        selection = Selection(select, lambda: (_rows(file, SELECTING_COLUMNS) for file in buckets))
        prompts = 0
        for file in buckets:
            kept, lost = selection.of(_rows(file))
            prompts += len(kept)
            left_out += lost
            pq.write_table(
                kept.select(PROMPT_COLUMNS.names),
                file.with_suffix(".parquet"),
                compression="zstd",
                row_group_size=GROUP_ROWS,
                use_dictionary=["environment_id", "data_source"],
            )
            file.unlink()
        share = Share(
            parts=tuple(parts), selected=Selected(snapshots=snapshots, prompts=prompts, left_out=dict(left_out))
        )
        storage.write_bytes(making / SHARE, share.model_dump_json().encode())
        making.rename(folder)
        return share

    def read(self, skip: int = 0, more: Callable[[], bool] = lambda: False) -> Iterator[pa.Table]:
        """Prompts, a row group at a time, in order.

        Args:
            skip: how many from the beginning are left out; none of the row groups before is read.
            more: called at the end of the last share; whether there is one more now.
        """
        done = 0
        while True:
            folders = self._shares()[done:]
            for folder in folders:
                for file in sorted(folder.glob("*.parquet")):
                    with pq.ParquetFile(file, pre_buffer=False) as content:
                        if skip >= content.metadata.num_rows:
                            skip -= content.metadata.num_rows
                            continue
                        for group in range(content.num_row_groups):
                            rows = content.metadata.row_group(group).num_rows
                            if skip < rows:
                                yield content.read_row_group(group, use_threads=False).slice(skip)
                            skip = max(0, skip - rows)
            done += len(folders)
            if not more():
                return

    def _shares(self) -> list[Path]:
        return sorted(file.parent for file in self._folder.glob(f"[0-9]*/{SHARE}"))


def _rows(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    with pq.ParquetFile(file, pre_buffer=False) as content:
        return content.read(None if columns is None else list(columns), use_threads=False)


def _buckets(episodes: int) -> int:
    return min(MOST_BUCKETS, 1 + episodes // EPISODES_PER_BUCKET)


def _spill(rows: Iterable[pa.Table], buckets: list[Path]) -> tuple[int, Counter[str]]:
    """Write rows to files by their ``order``; how many snapshots there were, and why some are not among them."""
    snapshots = size = 0
    left_out = Counter[str]()
    held: list[pa.Table] = []
    bound = [np.uint64((number << 64) // len(buckets)) for number in range(1, len(buckets))]
    with ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(file, ROW_COLUMNS, compression="zstd")) for file in buckets]

        def flush() -> None:
            if not held:
                return
            table = pa.concat_tables(held)
            held.clear()
            places = np.searchsorted(np.array(bound, np.uint64), table["order"].to_numpy(), side="right")
            for place in np.unique(places):
                writers[place].write_table(table.filter(pa.array(places == place)))

        for table in rows:
            snapshots += len(table)
            reasons = table["left_out"]
            left_out.update(reasons.drop_null().to_pylist())
            held.append(table.filter(reasons.is_null()))
            size += held[-1].nbytes
            if size >= SPILL_BYTES:
                flush()
                size = 0
        flush()
    return snapshots, left_out
