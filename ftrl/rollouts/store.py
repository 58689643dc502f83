"""The trajectory store: a folder, local or on S3, to which finished episodes are appended.

::

    STORE/manifest.json          names the run, its collections and the parts; replaced whole at every commit
    STORE/parts/*.parquet        some episodes each, of one iteration; never changed once written

Only what the manifest names belongs to the store. A writer that is killed leaves at most one part that no reader
sees, and the next writer sweeps it away. One writer at a time: on this machine a second one is refused by a lock,
and on S3 it notices at its next commit.
"""

from __future__ import annotations

import fcntl
import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts.columns import FEW_VALUES, TRAJECTORY_COLUMNS, trajectory_from_row, trajectory_to_row
from ftrl.rollouts.providers import is_provider
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import PolicyIdentity, Record, Trajectory, TrajectoryStatus

MANIFEST = "manifest.json"
PARTS = "parts"
LOCK = ".writer"


class PartEntry(Record):
    """One Parquet file: its path below the store, its iteration, how many episodes it holds."""

    name: str
    iteration: int
    rows: int


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


class TrajectoryStore:
    """Episodes, read and appended."""

    def __init__(self, path: str, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest
        self._lock: IO[bytes] | None = None

    @classmethod
    def create(cls, path: str, *, run: str | None = None) -> TrajectoryStore:
        """A new, empty store; ``run`` becomes part of every trajectory's id, and is random if left out.

        Raises:
            InputError: there is a store already, or other files.
        """
        if _read_manifest(path) is not None:
            raise InputError(
                "there is a trajectory store here already; go on with it (--resume) or choose another place",
                file=path,
            )
        fs, inner = storage.filesystem(path)
        fs.invalidate_cache()
        if fs.exists(inner) and (fs.isfile(inner) or any(map(_is_foreign, fs.ls(inner, detail=False)))):
            raise InputError("there are other files here; choose another place for the store", file=path)
        store = cls(path, Manifest(format="ftrl-trajectories", version=1, run=run or uuid.uuid4().hex[:12]))
        store._commit(store._manifest, expected=None)
        return store

    @classmethod
    def open(cls, path: str) -> TrajectoryStore:
        """The store at ``path``.

        Raises:
            InputError: there is no store, or one that this version cannot read.
        """
        manifest = _read_manifest(path)
        if manifest is None:
            raise InputError("this is no trajectory store (it has no manifest.json)", file=path)
        return cls(path, manifest)

    @property
    def run(self) -> str:
        """The name of the run."""
        return self._manifest.run

    @property
    def collections(self) -> tuple[Collection, ...]:
        """What each iteration was collected with."""
        return self._manifest.collections

    def begin(self, collection: Collection) -> None:
        """Say what an iteration's episodes are collected with, before the first is appended; sweeps up leftovers.

        Raises:
            InputError: the store has episodes of this iteration by another model or other settings.
            FtrlError: another process is writing to the store.
        """
        self._take_lock()
        self.sweep()
        for known in self._manifest.collections:
            if known.iteration == collection.iteration:
                _refuse_changes(self.path, known, collection)
                return
        manifest = self._manifest.model_copy(update={"collections": (*self._manifest.collections, collection)})
        self._commit(manifest, expected=self._manifest)

    def refuse_without_tokens(self, iteration: int) -> None:
        """See that the iteration's episodes were sampled by a model of ours, token by token.

        Raises:
            InputError: a provider's model played them.
        """
        for collection in self.collections:
            policy = collection.policy
            if collection.iteration == iteration and policy.weights is None and is_provider(policy.name):
                raise InputError(
                    f"the episodes of iteration {iteration} were played by {policy.name}, of which there "
                    "are no tokens and no log-probabilities: nothing can be trained on them. Collect with the model "
                    "that is to be trained",
                    file=self.path,
                )

    def close(self) -> None:
        """Let other processes write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> TrajectoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, trajectories: Sequence[Trajectory]) -> None:
        """Add finished episodes: all of them, or none if this fails.

        Raises:
            FtrlError: one is ``infrastructure``, is of another run, or its iteration was not begun; or another
                process wrote to the store.
        """
        begun = {collection.iteration for collection in self._manifest.collections}
        for trajectory in trajectories:
            if trajectory.status is TrajectoryStatus.INFRASTRUCTURE:
                raise FtrlError(f"trajectory {trajectory.id} failed through a fault of ours: it is no finished episode")
            if trajectory.run != self.run or trajectory.iteration not in begun:
                raise FtrlError(f"trajectory {trajectory.id} is not of this store's run, or of an iteration not begun")
        entries = list(self._manifest.parts)
        for iteration, group in groupby(sorted(trajectories, key=_order), key=lambda one: one.iteration):
            rows = [trajectory_to_row(trajectory) for trajectory in group]
            name = f"{PARTS}/{len(entries):06d}-{uuid.uuid4().hex[:12]}.parquet"
            with storage.writing(storage.join(self.path, name)) as file:
                pq.write_table(
                    pa.Table.from_pylist(rows, schema=TRAJECTORY_COLUMNS),
                    file,
                    compression="zstd",
                    compression_level=9,
                    use_dictionary=list(FEW_VALUES),
                )
            entries.append(PartEntry(name=name, iteration=iteration, rows=len(rows)))
        if len(entries) > len(self._manifest.parts):
            self._commit(self._manifest.model_copy(update={"parts": tuple(entries)}), expected=self._manifest)

    def done(self, iteration: int | None = None) -> set[tuple[str, int]]:
        """(environment id, sample) of every episode, of all iterations or of one. Reads only these columns."""
        return {
            (environment, sample)
            for table in self._tables(iteration, ["environment_id", "sample"])
            for environment, sample in zip(
                table.column("environment_id").to_pylist(), table.column("sample").to_pylist(), strict=True
            )
        }

    def parts(self, iteration: int | None = None) -> list[str]:
        """Paths of the committed Parquet files, for ``ray.data.read_parquet``; there may be none."""
        return [
            storage.join(self.path, entry.name)
            for entry in self._manifest.parts
            if iteration is None or entry.iteration == iteration
        ]

    def count(self, iteration: int | None = None) -> int:
        """How many episodes there are, of all iterations or of one."""
        return sum(entry.rows for entry in self._manifest.parts if iteration is None or entry.iteration == iteration)

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[Trajectory]:
        return self.read()

    def read(self, iteration: int | None = None) -> Iterator[Trajectory]:
        """The episodes in the order in which they were committed, of all iterations or of one."""
        for table in self._tables(iteration, None):
            for batch in table.to_batches(max_chunksize=64):
                yield from map(trajectory_from_row, batch.to_pylist())

    def rows(self, columns: Sequence[str], iteration: int | None = None) -> Iterator[dict[str, Any]]:
        """Some columns of every episode (see ``TRAJECTORY_COLUMNS``); the others are not read."""
        for table in self._tables(iteration, list(columns)):
            yield from table.to_pylist()

    def sweep(self) -> list[str]:
        """Remove parts that a killed writer left behind; returns their names. Only for the one writer."""
        fs, inner = storage.filesystem(self.path)
        fs.invalidate_cache()
        folder = storage.join(inner, PARTS)
        known = {entry.name.rsplit("/", 1)[-1] for entry in self._manifest.parts}
        found = fs.ls(folder, detail=False) if fs.exists(folder) else []
        swept = [path for path in found if path.rsplit("/", 1)[-1] not in known]
        for path in swept:
            fs.rm_file(path)
        return [path.rsplit("/", 1)[-1] for path in swept]

    def _tables(self, iteration: int | None, columns: list[str] | None) -> Iterator[pa.Table]:
        for path in self.parts(iteration):
            fs, inner = storage.filesystem(path)
            try:
                # Parts are small: threads would gain little, and pyarrow's may abort a process that is just ending.
                with fs.open(inner, "rb") as file:
                    yield pq.ParquetFile(file, pre_buffer=False).read(columns=columns, use_threads=False)
            except FileNotFoundError as error:
                raise InputError("this part of the store is missing; restore the file", file=path) from error
            except pa.ArrowInvalid as error:
                raise InputError(f"this part of the store is damaged ({error}); restore it", file=path) from error

    def _take_lock(self) -> None:
        if self._lock is not None or not storage.is_local(self.path):
            return
        lock = (Path(storage.filesystem(self.path)[1]) / LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise FtrlError(
                f"{self.path}: another process is writing to this store; wait for it, or stop it and use --resume"
            ) from error
        self._lock = lock

    def _commit(self, manifest: Manifest, *, expected: Manifest | None) -> None:
        if _read_manifest(self.path) != expected:
            raise FtrlError(
                f"{self.path}: another process has written to this store; only one may. "
                "Stop the other one, then go on with --resume"
            )
        storage.write_bytes(storage.join(self.path, MANIFEST), manifest.model_dump_json(indent=1).encode())
        self._manifest = manifest


def _order(trajectory: Trajectory) -> tuple[int, str, int]:
    # Samples of one task side by side compress best: they share their beginnings.
    return trajectory.iteration, trajectory.environment_id, trajectory.sample


def _refuse_changes(path: str, known: Collection, wanted: Collection) -> None:
    # A provider's model has no weights to tell it by, only its name.
    same = known.policy.weights == wanted.policy.weights
    if not same or (wanted.policy.weights is None and known.policy.name != wanted.policy.name):
        raise InputError(
            f"the episodes of iteration {known.iteration} here are by another model ({known.policy.name}, weights "
            f"{str(known.policy.weights)[:12]}), not by {wanted.policy.name}; resume with it or choose another place",
            file=path,
        )
    for name in EpisodeSettings.model_fields:
        before, now = getattr(known.settings, name), getattr(wanted.settings, name)
        if before != now:
            raise InputError(
                f"the episodes here were collected with {name} = {before}, not {now}; "
                "resume with the same settings or choose another place",
                file=path,
                field=name,
            )


def is_trajectory_store(path: str) -> bool:
    """Whether there is a trajectory store at ``path``."""
    return storage.exists(storage.join(path, MANIFEST))


def _is_foreign(file: str) -> bool:
    """Whether it is anything but what a writer that was killed at its very first commit may leave."""
    return not file.rsplit("/", 1)[-1].startswith(f".{MANIFEST}.")


def _read_manifest(path: str) -> Manifest | None:
    file = storage.join(path, MANIFEST)
    fs, inner = storage.filesystem(file)
    try:
        text = fs.cat_file(inner)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Manifest.model_validate(json.loads(text))
    except (ValidationError, ValueError) as error:
        raise InputError(
            "this is not a trajectory store, or one of another version of ftrl; choose another place",
            file=file,
        ) from error
