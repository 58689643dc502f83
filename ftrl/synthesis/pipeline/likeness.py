"""An index of sketches that finds those like another: locality-sensitive hashing, on this machine's disk.

Memory does not grow: the index is a SQLite file in a temporary folder that goes with the process, about 1.5 kB an
environment, of which SQLite keeps ``CACHE_KB`` in memory.
"""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ftrl.synthesis.pipeline.sketch import PERMUTATIONS, Signature, Sketch, text_similarity

CACHE_KB = 4_096


@dataclass(frozen=True)
class Bar:
    """How alike is too alike: the same question, or more than half of the values together with one of the texts.

    Attributes:
        question: least similarity of the questions.
        tools: least similarity of the tools.
        of_the_fewer: count shared values against the task that has fewer, and not against those of both.
    """

    question: float
    tools: float
    of_the_fewer: bool = False


@dataclass(frozen=True)
class Likeness:
    """An environment in the index that is like another, and how much."""

    name: str
    question: float
    tools: float
    values: float


class LikenessIndex:
    """Sketches by name; asked for one that is like another.

    Args:
        bar: how alike.
    """

    def __init__(self, bar: Bar) -> None:
        from datasketch import MinHashLSH  # see sketch

        self._bar = bar
        self._bands = [
            MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=(0.2, 0.8))
            for threshold in (bar.question, bar.tools)
        ]
        self._folder = tempfile.TemporaryDirectory(prefix="ftrl-likeness-")
        # Used by one thread at a time, not always by the same one.
        self._file = sqlite3.connect(Path(self._folder.name) / "index.sqlite", check_same_thread=False)
        self._file.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE_KB};"
            "CREATE TABLE sketch (row INTEGER PRIMARY KEY, name TEXT, asked INTEGER, question BLOB, tools BLOB,"
            " shared BLOB);"
            "CREATE TABLE bucket (key INTEGER, row INTEGER, PRIMARY KEY (key, row)) WITHOUT ROWID;"
        )

    def add(self, name: str, sketch: Sketch) -> None:
        """Put a sketch into the index."""
        values = np.array(sorted(sketch.values), dtype=np.int64).tobytes()
        row = (name, sketch.asked, sketch.question.tobytes(), sketch.tools.tobytes(), values)
        at = self._file.execute(
            "INSERT INTO sketch (name, asked, question, tools, shared) VALUES (?, ?, ?, ?, ?)", row
        ).lastrowid
        self._file.executemany("INSERT OR IGNORE INTO bucket VALUES (?, ?)", [(key, at) for key in self._keys(sketch)])

    def find(self, sketch: Sketch) -> Likeness | None:
        """The first environment in the index that is like this one; a few in a hundred may be missed."""
        keys = list(self._keys(sketch))
        marks = ",".join("?" * len(keys))
        found = self._file.execute(
            "SELECT name, asked, question, tools, shared FROM sketch WHERE row IN"
            f" (SELECT row FROM bucket WHERE key IN ({marks})) ORDER BY row",
            keys,
        )
        for name, asked, question, tools, shared in found:
            other = Sketch(
                question=np.frombuffer(question, dtype=np.uint32),
                tools=np.frombuffer(tools, dtype=np.uint32),
                values=frozenset(np.frombuffer(shared, dtype=np.int64).tolist()),
                asked=asked,
            )
            if (likeness := self._likeness(name, sketch, other)) is not None:
                return likeness
        return None

    def close(self) -> None:
        """Remove the index."""
        self._file.close()
        self._folder.cleanup()

    def _likeness(self, name: str, one: Sketch, other: Sketch) -> Likeness | None:
        question = 1.0 if one.asked == other.asked else text_similarity(one.question, other.question)
        tools = text_similarity(one.tools, other.tools)
        base = min(len(one.values), len(other.values)) if self._bar.of_the_fewer else len(one.values | other.values)
        values = len(one.values & other.values) / max(1, base)
        alike = one.asked == other.asked or (
            values > 0.5 and (question >= self._bar.question or tools >= self._bar.tools)
        )
        return Likeness(name, question, tools, values) if alike else None

    def _keys(self, sketch: Sketch) -> set[int]:
        """Its buckets: a band of a text together with a value. Two tasks that share both meet in one."""
        keys = {hash(("asked", sketch.asked))}
        for kind, (lsh, signature) in enumerate(zip(self._bands, (sketch.question, sketch.tools), strict=True)):
            for band in range(lsh.b):
                words = _band(signature, band, lsh.r)
                keys |= {hash((kind, band, words, value)) for value in sketch.values}
        return keys


def _band(signature: Signature, band: int, rows: int) -> bytes:
    return signature[band * rows : (band + 1) * rows].tobytes()
