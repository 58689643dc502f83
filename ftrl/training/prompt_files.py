"""An iteration's prompts on disk, tokenised once, in the order in which they are trained on.

::

    PROMPTS/00000.parquet …    ``PROMPT_COLUMNS``, in order
    PROMPTS/selected.json      how many there are, and what was left out

The folder is there whole or not at all. The order is a sort by random numbers, too large for memory: rows are spilled
to buckets by the numbers' first bits, and each bucket is sorted by itself. Whoever reads holds one row group; whoever
goes on in the middle opens none that lies before.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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

SELECTED = "selected.json"


class PromptFiles:
    """The folder of an iteration's prompts, which may not be there yet.

    Args:
        folder: where it is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exist(self) -> bool:
        """Whether they have been made."""
        return self._folder.exists()

    def selected(self) -> Selected:
        """What became of the iteration's snapshots, its prompts among them."""
        return Selected.model_validate_json((self._folder / SELECTED).read_bytes())

    def make(self, episodes: int, rows: Iterable[pa.Table], select: SelectConfig) -> Selected:
        """Make them of rows (``ROW_COLUMNS``), which may come in any order.

        Args:
            episodes: of how many trajectories, about: decides into how many files they go.
            rows: taken once; at most ``SPILL_BYTES`` of them are held.
            select: what is left out.
        """
        making = self._folder.with_name(f".{self._folder.name}.making")
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
        selected = Selected(snapshots=snapshots, prompts=prompts, left_out=dict(left_out))
        storage.write_bytes(making / SELECTED, selected.model_dump_json(indent=2).encode())
        making.rename(self._folder)
        return selected

    def read(self, skip: int = 0) -> Iterator[pa.Table]:
        """Prompts, a row group at a time, in order.

        Args:
            skip: how many from the beginning are left out; none of the row groups before is read.
        """
        for file in sorted(self._folder.glob("*.parquet")):
            with pq.ParquetFile(file, pre_buffer=False) as content:
                for group in range(content.num_row_groups):
                    rows = content.metadata.row_group(group).num_rows
                    if skip < rows:
                        yield content.read_row_group(group, use_threads=False).slice(skip)
                    skip = max(0, skip - rows)


def _rows(file: Path, columns: Sequence[str] = ROW_COLUMNS.names) -> pa.Table:
    options = pa.ipc.IpcReadOptions(included_fields=[ROW_COLUMNS.get_field_index(name) for name in columns])
    with pa.OSFile(str(file)) as source:
        return pa.ipc.open_file(source, options=options).read_all()


def _buckets(episodes: int) -> int:
    return min(MOST_BUCKETS, 1 + episodes // EPISODES_PER_BUCKET)


def _spill(rows: Iterable[pa.Table], buckets: list[Path]) -> tuple[int, Counter[str]]:
    """Write rows to files by their ``order``; how many snapshots there were, and why some are not among them."""
    snapshots = size = 0
    left_out = Counter[str]()
    held: list[pa.Table] = []
    bound = [np.uint64((number << 64) // len(buckets)) for number in range(1, len(buckets))]
    with ExitStack() as stack:
        # Not Parquet: a writer of it remembers tens of kilobytes of every table, for its footer.
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        writers = [stack.enter_context(pa.ipc.new_file(file, ROW_COLUMNS, options=options)) for file in buckets]

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
