"""What ``manifest.json`` of a trajectory store says, and how it changes while many write to the store.

A change is made to the newest manifest and written on the condition that this is still the newest; else it is made
again to what the other writer left. So nothing that was committed is ever lost, whoever else commits.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Literal

from pydantic import ValidationError

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import PolicyIdentity, Record

MANIFEST = "manifest.json"

MOST_ATTEMPTS = 100
"""How often a change is tried at most; another writer had to be first every single time."""

LONGEST_PAUSE_SECONDS = 1.0


class PartEntry(Record):
    """One Parquet file: its path below the store, its iteration, how many episodes it holds."""

    name: str
    iteration: int
    rows: int


class RetiredPart(Record):
    """A part whose episodes are in another one now; removed once no reader can still be at it.

    Attributes:
        name: its path below the store.
        since: when it was retired, in seconds since 1970.
    """

    name: str
    since: float


class Collection(Record):
    """What one iteration's episodes were collected with; more may only be added with the same."""

    iteration: int
    policy: PolicyIdentity
    settings: EpisodeSettings


class Manifest(Record):
    """What ``manifest.json`` says."""

    format: Literal["ftrl-trajectories"]
    version: Literal[1]
    run: str
    collections: tuple[Collection, ...] = ()
    parts: tuple[PartEntry, ...] = ()
    retired: tuple[RetiredPart, ...] = ()


class ManifestFile:
    """The manifest of the store at ``path``, as it was when last read or written.

    Args:
        path: of the store.
        content: what it says.
        tag: of this version of the file; None if it is not written yet.
    """

    def __init__(self, path: str, content: Manifest, tag: str | None) -> None:
        self.path = path
        self.content = content
        self._tag = tag

    def change(self, change: Callable[[Manifest], Manifest]) -> None:
        """Write what ``change`` makes of the newest manifest; it is called again if another writer was first.

        Raises:
            FtrlError: the store is gone, or is another one now.
        """
        for attempt in range(MOST_ATTEMPTS):
            wanted = change(self.content)
            if wanted == self.content and self._tag is not None:
                return
            data = wanted.model_dump_json(indent=1).encode()
            tag = storage.replace_version(storage.join(self.path, MANIFEST), data, self._tag)
            if tag is not None:
                self.content, self._tag = wanted, tag
                return
            self.refresh()
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt)))
        raise FtrlError(f"{self.path}: too many write to this store at the same time; try again with fewer writers")

    def refresh(self) -> None:
        """Read what others have committed.

        Raises:
            FtrlError: the store is gone, or is another one now.
        """
        found = read_manifest(self.path)
        if found is None or found.content.run != self.content.run:
            raise FtrlError(f"{self.path}: somebody has removed or replaced this store; start again in another place")
        self.content, self._tag = found.content, found._tag


def read_manifest(path: str) -> ManifestFile | None:
    """The manifest of the store at ``path``, if there is one.

    Raises:
        InputError: there is a manifest, but not of a store that this version can read.
    """
    file = storage.join(path, MANIFEST)
    found = storage.read_version(file)
    if found is None:
        return None
    data, tag = found
    try:
        return ManifestFile(path, Manifest.model_validate_json(data), tag)
    except ValidationError as error:
        raise InputError(
            "this is not a trajectory store, or one of another version of ftrl; choose another place",
            file=file,
        ) from error
