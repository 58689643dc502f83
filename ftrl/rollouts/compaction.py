"""Tidying a store while others read and write: few large parts of many small ones, and none that nobody names.

Neighbours of one iteration are merged, and their episodes keep their order: a position in the training stream means
the same rows before and after. What was merged stays for a while for those who are reading it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ftrl import storage
from ftrl.rollouts.manifest import Manifest, ManifestFile, PartEntry, RetiredPart
from ftrl.rollouts.parts import PARTS, read_batches, write_tables

PART_BYTES = 128 << 20
"""Parts grow to about this."""

SWEEP_SECONDS = 3600.0
"""No writer takes so long from a part to its commit, and no reader from the manifest to the last of its parts."""


@dataclass(frozen=True)
class Compacted:
    """What compaction did.

    Attributes:
        parts_before: parts of the store.
        parts_after: the same, afterwards.
        bytes_before: their size.
        bytes_after: the same, afterwards.
    """

    parts_before: int
    parts_after: int
    bytes_before: int
    bytes_after: int


def compact(file: ManifestFile, part_bytes: int = PART_BYTES) -> Compacted:
    """Merge small parts of the store. It may be killed at any time; every merge is committed by itself."""
    before = _sizes(file)
    for group in _groups(file.content, before, part_bytes):
        name = write_tables(file.path, len(file.content.parts), _rows(file.path, group))
        merged = PartEntry(name=name, iteration=group[0].iteration, rows=sum(entry.rows for entry in group))
        file.change(lambda manifest, group=group, merged=merged: _replaced(manifest, group, merged))  # type: ignore[misc]
    after = _sizes(file)
    return Compacted(len(before), len(after), sum(before.values()), sum(after.values()))


def sweep(file: ManifestFile, seconds: float) -> list[str]:
    """Remove parts that killed writers and compaction left behind and that are so old; returns their names."""
    fs, inner = storage.filesystem(storage.join(file.path, PARTS))
    fs.invalidate_cache()
    found = fs.ls(inner, detail=True) if fs.exists(inner) else []
    # Looked at only now: what was written before and is not in there will never be.
    file.refresh()
    now = time.time()
    recent = {part.name for part in file.content.retired if now - part.since < seconds}
    kept = {entry.name for entry in file.content.parts} | recent
    swept = []
    for one in found:
        name = one["name"].rsplit("/", 1)[-1]
        if f"{PARTS}/{name}" not in kept and now - _written(one) >= seconds:
            fs.rm_file(one["name"])
            swept.append(name)

    def forget(manifest: Manifest) -> Manifest:
        left = tuple(part for part in manifest.retired if now - part.since < seconds)
        return manifest.model_copy(update={"retired": left})

    file.change(forget)
    return swept


def _written(file: dict[str, Any]) -> float:
    """When a file was written, in seconds since 1970: a number locally, a date on S3."""
    stamp = file["mtime"] if "mtime" in file else file["LastModified"].timestamp()
    return float(stamp)


def _rows(store: str, group: list[PartEntry]) -> Iterator[pa.Table]:
    for entry in group:
        yield from read_batches(storage.join(store, entry.name))


def _replaced(manifest: Manifest, group: list[PartEntry], merged: PartEntry) -> Manifest:
    """The manifest with one part in the place of some; unchanged where somebody else has merged one of them."""
    if merged in manifest.parts or not set(group) <= set(manifest.parts):
        return manifest
    parts: list[PartEntry] = []
    for entry in manifest.parts:
        if entry == group[0]:
            parts.append(merged)
        elif entry not in group:
            parts.append(entry)
    retired = tuple(RetiredPart(name=entry.name, since=time.time()) for entry in group)
    return manifest.model_copy(update={"parts": tuple(parts), "retired": (*manifest.retired, *retired)})


def _groups(manifest: Manifest, sizes: dict[str, int], part_bytes: int) -> list[list[PartEntry]]:
    """Neighbouring parts of one iteration that together are not much larger than ``part_bytes``."""
    groups: list[list[PartEntry]] = []
    for iteration in sorted({entry.iteration for entry in manifest.parts}):
        group: list[PartEntry] = []
        size = 0
        for entry in manifest.parts:
            if entry.iteration != iteration:
                continue
            if group and size + sizes[entry.name] > part_bytes:
                groups.append(group)
                group, size = [], 0
            group.append(entry)
            size += sizes[entry.name]
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _sizes(file: ManifestFile) -> dict[str, int]:
    """Bytes of each part."""
    fs, inner = storage.filesystem(storage.join(file.path, PARTS))
    fs.invalidate_cache()
    found = fs.ls(inner, detail=True) if file.content.parts else []
    sizes = {f"{PARTS}/{one['name'].rsplit('/', 1)[-1]}": int(one["size"]) for one in found}
    return {entry.name: sizes[entry.name] for entry in file.content.parts}
