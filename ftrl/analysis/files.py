"""A comparison as files: all of it as JSON, a tensor a line as CSV, and the heat map."""

from __future__ import annotations

import csv
import io
import os

from ftrl import storage
from ftrl.analysis.diff import Figures, ModelDiff
from ftrl.analysis.heat import heat_map

COLUMNS = ("tensor", "layer", "module", "shape", "base_dtype", "tuned_dtype", *Figures.model_fields)
"""Of ``diff.csv``; what there is none of stays empty."""


def write_diff(diff: ModelDiff, out: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write ``diff.json``, ``diff.csv`` and ``diff.html`` into the folder ``out``, local or ``s3://``.

    Returns:
        the paths.
    """
    contents = {
        "diff.json": diff.model_dump_json(indent=1) + "\n",
        "diff.csv": as_csv(diff),
        "diff.html": heat_map(diff),
    }
    paths = {storage.join(out, name): text for name, text in contents.items()}
    for path, text in paths.items():
        storage.write_bytes(path, text.encode())
    return tuple(paths)


def as_csv(diff: ModelDiff) -> str:
    """One line a tensor, under ``COLUMNS``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tensor in diff.tensors:
        writer.writerow(
            [
                tensor.name,
                tensor.layer,
                tensor.module,
                "x".join(map(str, tensor.shape)),
                tensor.base_dtype,
                tensor.tuned_dtype,
                *tensor.figures.model_dump().values(),
            ]
        )
    return text.getvalue()
