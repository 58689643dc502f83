"""What workers make of the Parquet files of a store, by Ray Data, with no more processes than the files are worth."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

FILES_PER_FOOTER_READER = 1000
MOST_FOOTER_READERS = 32

WAITING_BYTES = 64 << 20
BLOCK_BYTES = 16 << 20
"""What may wait before each worker and before whoever takes the tables, and the piece in which it is handed on."""


def worked_on(
    paths: Sequence[str],
    worker: type,
    arguments: Sequence[Any],
    *,
    at_once: int,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    workers: int = 1,
    in_order: bool = False,
) -> Iterator[pa.Table]:
    """What workers, each in a process of its own, make of the rows of these files.

    Ray Data starts 32 processes to look at the files' ends, however few there are; each takes seconds to start. And it
    reads ahead until a share of the object store is full, however large that is.

    Args:
        paths: the files.
        worker: called with a table of rows, it returns one, or yields some.
        arguments: of its ``__init__``.
        at_once: rows of such a table.
        columns: that are read; all if left out.
        limit: only the first rows.
        workers: at most.
        in_order: whether what comes out is in the order of the rows.
    """
    import ray
    from ray.data import ExecutionResources

    readers = min(MOST_FOOTER_READERS, 1 + len(paths) // FILES_PER_FOOTER_READER)
    os.environ.setdefault("RAY_DATA_PARQUET_FOOTER_NUM_ACTORS", str(readers))
    _keep_off_the_terminal()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK_BYTES
    context.execution_options.preserve_order = in_order
    waiting = (1 + workers) * WAITING_BYTES
    context.execution_options.resource_limits = ExecutionResources.for_limits(object_store_memory=waiting)
    names = None if columns is None else list(columns)
    # Reading is faster than any work: one reader for each worker will do.
    dataset = ray.data.read_parquet(list(paths), columns=names, concurrency=workers)
    if limit is not None:
        dataset = dataset.limit(limit)
    made = dataset.map_batches(
        worker,
        fn_constructor_args=tuple(arguments),
        batch_size=at_once,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
    )
    yield from made.iter_batches(batch_size=None, batch_format="pyarrow")


def _keep_off_the_terminal() -> None:
    """Leave Ray Data's plans and progress to its log file, in the session's folder; errors are still shown."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)
