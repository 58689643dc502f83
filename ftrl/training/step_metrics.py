"""What is noted of an iteration's training steps: a JSONL file with one row a step, appended as they come.

A run that was killed goes on from its last checkpoint and does the steps after it again; ``rewind`` takes their rows
out first, and with them a row that was cut off in the middle. A run killed between a checkpoint and its row lacks
that row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftrl import storage


class StepMetrics:
    """The file, which may not be there yet.

    Args:
        file: where it is, or will be.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self) -> list[dict[str, Any]]:
        """Every whole row, in order: ``step``, ``total``, and what was noted, by name."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def append(self, step: int, total: int, values: Mapping[str, Any]) -> None:
        """Add the row of a step."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "total": total, **values}) + "\n")

    def rewind(self, step: int) -> None:
        """Keep the rows up to ``step``, and only those."""
        if self._file.exists():
            kept = [json.dumps(row) + "\n" for row in self.rows() if row["step"] <= step]
            storage.write_bytes(self._file, "".join(kept).encode())
