"""An iteration's prompts, chunk after chunk: one as a rule, many where training begins before collection has ended.

A chunk is there whole or not at all, and never changes. Whoever needs one that has not been made yet waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pyarrow as pa

from ftrl.training.prompt_files import PromptFiles
from ftrl.training.selection import Selected, together

WAIT_SECONDS = 0.5
"""How often somebody who waits looks again."""


class PromptChunks:
    """Chunks in the order in which they are trained on; they are made in this order, too.

    Args:
        chunks: their files.
    """

    def __init__(self, chunks: Sequence[PromptFiles]) -> None:
        self._chunks = tuple(chunks)
        self._made: list[Selected] = []

    def __len__(self) -> int:
        return len(self._chunks)

    def made(self) -> tuple[Selected, ...]:
        """What became of the snapshots of each chunk that has been made."""
        for chunk in self._chunks[len(self._made) :]:
            if not chunk.exist():
                break
            self._made.append(chunk.selected())
        return tuple(self._made)

    def complete(self) -> bool:
        """Whether all have been made."""
        return len(self.made()) == len(self)

    def selected(self) -> Selected:
        """What became of the snapshots of all that have been made."""
        return together(self.made())

    def sizes(self) -> Iterator[int]:
        """How many prompts each chunk has; waits for a chunk that has not been made."""
        for number in range(len(self)):
            while len(self.made()) <= number:
                time.sleep(WAIT_SECONDS)
            yield self._made[number].prompts

    def read(self, skip: int = 0) -> Iterator[pa.Table]:
        """Prompts, a row group at a time, in order; waits for a chunk that has not been made.

        Args:
            skip: how many from the beginning are left out; no chunk is opened that lies before.
        """
        for chunk, prompts in zip(self._chunks, self.sizes(), strict=True):
            if skip < prompts:
                yield from chunk.read(skip)
            skip = max(0, skip - prompts)
