"""The record of rejections: what was tried, and why it is not in the store. It lies beside the store's tables.

::

    STORE/construction/rejections/00000128.jsonl     the rejections of items from 128 on, up to the next file

A file appears whole, just before the store is committed. With the store it tells a resumed run all that there is to
know: an item is done if it is in the store or given up in the record. What failed by a fault of ours is in neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from ftrl import storage

FOLDER = ("construction", "rejections")
_NAME = re.compile(r"(\d{8,})\.jsonl")


@dataclass(frozen=True)
class Record:
    """One attempt that was rejected.

    Attributes:
        last: whether the item was given up with it.
        sent_back: answers of models that had been asked for again before, by stage and rule.
    """

    item: int
    attempt: int
    stage: str
    rule: str
    detail: str
    last: bool = False
    sent_back: dict[str, dict[str, int]] = field(default_factory=dict)


class Journal:
    """The rejections of a store.

    Args:
        out: the store.
    """

    def __init__(self, out: str) -> None:
        self._folder = storage.join(out, *FOLDER)

    def write(self, first: int, records: list[Record]) -> None:
        """Write the rejections of the items from ``first`` on."""
        if records:
            lines = [json.dumps(asdict(record), ensure_ascii=False) for record in records]
            storage.write_bytes(storage.join(self._folder, f"{first:08d}.jsonl"), ("\n".join(lines) + "\n").encode())

    def given_up(self) -> set[int]:
        """The items of which every attempt was rejected."""
        return {record.item for record in self.read() if record.last}

    def read(self) -> Iterator[Record]:
        """All rejections, each attempt once."""
        seen: set[tuple[int, int]] = set()
        for _, path in self._files():
            for _, line in storage.json_lines(path):
                record = Record(**line)
                if (record.item, record.attempt) not in seen:
                    seen.add((record.item, record.attempt))
                    yield record

    def clear(self) -> None:
        """Forget everything: a store is begun."""
        for _, path in self._files():
            fs, inner = storage.filesystem(path)
            fs.rm_file(inner)

    def _files(self) -> list[tuple[int, str]]:
        fs, inner = storage.filesystem(self._folder)
        fs.invalidate_cache()
        try:
            names = [str(entry).rsplit("/", 1)[-1] for entry in fs.ls(inner, detail=False)]
        except FileNotFoundError:
            return []
        found = [(int(match[1]), name) for name in names if (match := _NAME.fullmatch(name))]
        return [(first, storage.join(self._folder, name)) for first, name in sorted(found)]
