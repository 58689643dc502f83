"""An index of sketches that finds those like another: locality-sensitive hashing, on this machine's disk.

Meanings have no buckets: all questions of one template are nearest to each other, so that the one question that asks
for the same is not among the nearest. They are compared with those of tasks that share enough of their values, which
are few and easily found.

Memory does not grow: the index is a SQLite file in a temporary folder that goes with the process, about 1.5 kB an
environment (with a meaning, two bytes more for each of its numbers), of which SQLite keeps ``CACHE_KB`` in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ftrl.environments import Environment
from ftrl.models import Embedder
from ftrl.synthesis.pipeline.sketch import PERMUTATIONS, Signature, Sketch, same_meaning, sketches, text_similarity

CACHE_KB = 4_096

_TOGETHER = 256
"""Environments that are read together."""


@dataclass(frozen=True)
class Bar:
    """How alike is too alike: the same question, or more than half of the values together with one of the texts.

    Attributes:
        question: least similarity of the questions.
        tools: least similarity of the tools.
        meaning: least cosine of what the questions mean, where that is known,
        meant: and the share of the values, more than which must be the same then: a longer chain to the same answer
            means nearly the same.
        whatever_answer: let questions mean the same though their final answers differ.
        of_the_fewer: count shared values against the task that has fewer, and not against those of both.
    """

    question: float
    tools: float
    meaning: float = 0.6
    meant: float = 0.75
    whatever_answer: bool = False
    of_the_fewer: bool = False


@dataclass(frozen=True)
class Likeness:
    """An environment in the index that is like another, and how much."""

    name: str
    question: float
    tools: float
    values: float
    meaning: float


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
        # Without a name: a temporary file, gone with the process however that ends. Used by one thread at a time, not
        # always by the same one.
        self._file = sqlite3.connect("", check_same_thread=False)
        self._file.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE_KB};"
            "CREATE TABLE sketch (row INTEGER PRIMARY KEY, name TEXT, asked INTEGER, question BLOB, tools BLOB,"
            " shared BLOB, answer INTEGER, meaning BLOB);"
            "CREATE TABLE bucket (key INTEGER, row INTEGER, PRIMARY KEY (key, row)) WITHOUT ROWID;"
            "CREATE TABLE value (value INTEGER, row INTEGER, PRIMARY KEY (value, row)) WITHOUT ROWID;"
        )

    def fill(self, named: Iterable[tuple[str, Environment]], embedder: Embedder | None) -> None:
        """Put the sketches of environments into the index, a few at a time."""
        source = iter(named)
        while few := list(islice(source, _TOGETHER)):
            made = sketches([environment for _, environment in few], embedder)
            for (name, _), one in zip(few, made, strict=True):
                self.add(name, one)

    def add(self, name: str, sketch: Sketch) -> None:
        """Put a sketch into the index."""
        values = np.array(sorted(sketch.values), dtype=np.int64).tobytes()
        meaning = None if sketch.meaning is None else sketch.meaning.tobytes()
        row = (name, sketch.asked, sketch.question.tobytes(), sketch.tools.tobytes(), values, sketch.answer, meaning)
        at = self._file.execute(
            "INSERT INTO sketch (name, asked, question, tools, shared, answer, meaning) VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        ).lastrowid
        self._file.executemany("INSERT OR IGNORE INTO bucket VALUES (?, ?)", [(key, at) for key in self._keys(sketch)])
        if meaning is not None:
            self._file.executemany("INSERT INTO value VALUES (?, ?)", [(value, at) for value in sketch.values])

    def find(self, sketch: Sketch) -> Likeness | None:
        """The first environment in the index that is like this one; by their words, a few in a hundred may be missed,
        by what they mean, none."""
        keys = list(self._keys(sketch))
        rows = f"SELECT row FROM bucket WHERE key IN ({_marks(keys)})"
        given: list[int] = keys
        if sketch.meaning is not None and sketch.values:
            rows += (
                f" UNION SELECT row FROM value WHERE value IN ({_marks(sketch.values)})"
                " GROUP BY row HAVING count(*) >= ?"
            )
            # Of both together more than that share: at least so many of one's own.
            fewest = 1 if self._bar.of_the_fewer else int(len(sketch.values) * self._bar.meant) + 1
            given = [*keys, *sketch.values, fewest]
        found = self._file.execute(
            "SELECT name, asked, question, tools, shared, answer, meaning FROM sketch"
            f" WHERE row IN ({rows}) ORDER BY row",
            given,
        )
        for name, asked, question, tools, shared, answer, meaning in found:
            other = Sketch(
                question=np.frombuffer(question, dtype=np.uint32),
                tools=np.frombuffer(tools, dtype=np.uint32),
                values=frozenset(np.frombuffer(shared, dtype=np.int64).tolist()),
                asked=asked,
                answer=answer,
                meaning=None if meaning is None else np.frombuffer(meaning, dtype=np.float16),
            )
            if (likeness := self._likeness(name, sketch, other)) is not None:
                return likeness
        return None

    def close(self) -> None:
        """Remove the index."""
        self._file.close()

    def _likeness(self, name: str, one: Sketch, other: Sketch) -> Likeness | None:
        question = 1.0 if one.asked == other.asked else text_similarity(one.question, other.question)
        tools = text_similarity(one.tools, other.tools)
        base = min(len(one.values), len(other.values)) if self._bar.of_the_fewer else len(one.values | other.values)
        values = len(one.values & other.values) / max(1, base)
        meaning = same_meaning(one.meaning, other.meaning)
        answered = self._bar.whatever_answer or (one.answer is not None and one.answer == other.answer)
        worded = values > 0.5 and (question >= self._bar.question or tools >= self._bar.tools)
        meant = values > self._bar.meant and answered and meaning >= self._bar.meaning
        alike = one.asked == other.asked or worded or meant
        return Likeness(name, question, tools, values, meaning) if alike else None

    def _keys(self, sketch: Sketch) -> set[int]:
        """Its buckets: a band of a text together with a value. Two tasks that share both meet in one."""
        keys = {hash(("asked", sketch.asked))}
        for kind, (lsh, signature) in enumerate(zip(self._bands, (sketch.question, sketch.tools), strict=True)):
            for band in range(lsh.b):
                words = _band(signature, band, lsh.r)
                keys |= {hash((kind, band, words, value)) for value in sketch.values}
        return keys


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))


def _band(signature: Signature, band: int, rows: int) -> bytes:
    return signature[band * rows : (band + 1) * rows].tobytes()
