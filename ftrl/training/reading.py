"""The Parquet files of a store as a Ray dataset, with no more processes than the files are worth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

FILES_PER_FOOTER_READER = 1000
MOST_FOOTER_READERS = 32


def read_parts(paths: Sequence[str], columns: Sequence[str] | None = None) -> Any:
    """The rows of these files, lazily, and in the order of the files where the context asks for an order.

    Ray Data starts 32 processes to look at the files' ends, however few there are; each takes seconds to start.
    """
    import ray

    readers = min(MOST_FOOTER_READERS, 1 + len(paths) // FILES_PER_FOOTER_READER)
    os.environ.setdefault("RAY_DATA_PARQUET_FOOTER_NUM_ACTORS", str(readers))
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data.read_parquet(list(paths), columns=None if columns is None else list(columns))
