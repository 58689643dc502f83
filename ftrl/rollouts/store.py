"""The trajectory store: a folder, local or on S3, to which finished episodes are appended.

::

    STORE/manifest.json          names the run, its collections and the parts; replaced whole at every commit
    STORE/parts/*.parquet        some episodes each, of one iteration; never changed once written

Only what the manifest names belongs to the store. Any number of processes may append at the same time, on any number
of machines: a commit is made to the newest manifest or not at all, and an episode that another writer has committed
meanwhile is left out. A writer that is killed leaves at most parts that no reader sees; they are swept away once they
are older than any commit can take.
"""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts.columns import trajectory_from_row
from ftrl.rollouts.compaction import PART_BYTES, SWEEP_SECONDS, Compacted, compact, sweep
from ftrl.rollouts.manifest import MANIFEST, Collection, Manifest, ManifestFile, PartEntry, read_manifest
from ftrl.rollouts.parts import read_batches, write_part
from ftrl.rollouts.providers import is_provider
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import Trajectory, TrajectoryStatus

LOCK = ".writer"


class TrajectoryStore:
    """Episodes, read and appended."""

    def __init__(self, file: ManifestFile) -> None:
        self.path = file.path
        self._file = file
        self._seen = {entry.name for entry in file.content.parts}
        self._lock: IO[bytes] | None = None

    @classmethod
    def create(cls, path: str, *, run: str | None = None) -> TrajectoryStore:
        """A new, empty store; ``run`` becomes part of every trajectory's id, and is random if left out.

        Raises:
            InputError: there is a store already, or other files.
        """
        if read_manifest(path) is not None:
            raise InputError(
                "there is a trajectory store here already; go on with it (--resume) or choose another place",
                file=path,
            )
        fs, inner = storage.filesystem(path)
        fs.invalidate_cache()
        if fs.exists(inner) and (fs.isfile(inner) or any(map(_is_foreign, fs.ls(inner, detail=False)))):
            raise InputError("there are other files here; choose another place for the store", file=path)
        manifest = Manifest(format="ftrl-trajectories", version=1, run=run or uuid.uuid4().hex[:12])
        file = ManifestFile(path, manifest, None)
        file.change(lambda manifest: manifest)
        return cls(file)

    @classmethod
    def open(cls, path: str) -> TrajectoryStore:
        """The store at ``path``.

        Raises:
            InputError: there is no store, or one that this version cannot read.
        """
        file = read_manifest(path)
        if file is None:
            raise InputError("this is no trajectory store (it has no manifest.json)", file=path)
        return cls(file)

    @property
    def run(self) -> str:
        """The name of the run."""
        return self._file.content.run

    @property
    def collections(self) -> tuple[Collection, ...]:
        """What each iteration was collected with."""
        return self._file.content.collections

    def begin(self, collection: Collection) -> None:
        """Say what an iteration's episodes are collected with, before the first is appended; sweeps up leftovers.

        Raises:
            InputError: the store has episodes of this iteration by another model or other settings.
        """

        def add(manifest: Manifest) -> Manifest:
            for known in manifest.collections:
                if known.iteration == collection.iteration:
                    _refuse_changes(self.path, known, collection)
                    return manifest
            return manifest.model_copy(update={"collections": (*manifest.collections, collection)})

        self._file.change(add)
        self.sweep()

    def claim(self) -> None:
        """Keep a second collection off this store until ``close``: it would play the same episodes once more.

        Only on one machine; elsewhere, what two collections both play is stored once.

        Raises:
            FtrlError: another process has claimed it.
        """
        if self._lock is not None or not storage.is_local(self.path):
            return
        lock = (Path(storage.filesystem(self.path)[1]) / LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise FtrlError(
                f"{self.path}: another process is collecting into this store; wait for it, or stop it and use --resume"
            ) from error
        self._lock = lock

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
        """Give up the claim."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> TrajectoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, trajectories: Sequence[Trajectory]) -> int:
        """Add finished episodes: all of them, or none if this fails. What another writer was faster with is left out.

        Returns:
            How many were added.

        Raises:
            FtrlError: one is ``infrastructure``, is of another run, or its iteration was not begun; or the store is
                gone.
        """
        begun = {collection.iteration for collection in self.collections}
        for trajectory in trajectories:
            if trajectory.status is TrajectoryStatus.INFRASTRUCTURE:
                raise FtrlError(f"trajectory {trajectory.id} failed through a fault of ours: it is no finished episode")
            if trajectory.run != self.run or trajectory.iteration not in begun:
                raise FtrlError(f"trajectory {trajectory.id} is not of this store's run, or of an iteration not begun")
        fresh = sorted(trajectories, key=_order)
        entries = self._write(fresh)

        def add(manifest: Manifest) -> Manifest:
            nonlocal fresh, entries
            if entries and set(entries) <= set(manifest.parts):
                return manifest  # the commit arrived, only its confirmation did not
            theirs = self._ids_of_others(manifest)
            if any(trajectory.id in theirs for trajectory in fresh):
                fresh = [trajectory for trajectory in fresh if trajectory.id not in theirs]
                entries = self._write(fresh)
            return manifest.model_copy(update={"parts": (*manifest.parts, *entries)})

        if fresh:
            self._file.change(add)
            self._seen.update(entry.name for entry in entries)
        return len(fresh)

    def _write(self, trajectories: Sequence[Trajectory]) -> list[PartEntry]:
        entries: list[PartEntry] = []
        for iteration, group in groupby(trajectories, key=lambda one: one.iteration):
            episodes = list(group)
            name = write_part(self.path, len(self._file.content.parts) + len(entries), episodes)
            entries.append(PartEntry(name=name, iteration=iteration, rows=len(episodes)))
        return entries

    def _ids_of_others(self, manifest: Manifest) -> set[str]:
        """Ids of the episodes in parts that have come since this store was last looked at."""
        news = [entry.name for entry in manifest.parts if entry.name not in self._seen]
        return {
            id_
            for name in news
            for table in read_batches(storage.join(self.path, name), ["id"])
            for id_ in table.column("id").to_pylist()
        }

    def compact(self, part_bytes: int = PART_BYTES) -> Compacted:
        """Make few large parts of many small ones; others may read and write meanwhile.

        Raises:
            InputError: a part is missing or damaged.
        """
        done = compact(self._file, part_bytes)
        self._seen.update(entry.name for entry in self._file.content.parts)
        self.sweep()
        return done

    def done(self, iteration: int | None = None) -> set[tuple[str, int]]:
        """(environment id, sample) of every episode, of all iterations or of one. Reads only these columns."""
        names: dict[str, str] = {}  # one copy of each id, however many samples there are
        return {
            (names.setdefault(environment, environment), sample)
            for table in self._tables(iteration, ["environment_id", "sample"])
            for environment, sample in zip(
                table.column("environment_id").to_pylist(), table.column("sample").to_pylist(), strict=True
            )
        }

    def parts(self, iteration: int | None = None) -> list[str]:
        """Paths of the committed Parquet files, for ``ray.data.read_parquet``; there may be none."""
        return [
            storage.join(self.path, entry.name)
            for entry in self._file.content.parts
            if iteration is None or entry.iteration == iteration
        ]

    def count(self, iteration: int | None = None) -> int:
        """How many episodes there are, of all iterations or of one."""
        return sum(
            entry.rows for entry in self._file.content.parts if iteration is None or entry.iteration == iteration
        )

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[Trajectory]:
        return self.read()

    def read(self, iteration: int | None = None) -> Iterator[Trajectory]:
        """The episodes in the order in which they were committed, of all iterations or of one."""
        for table in self._tables(iteration, None):
            yield from map(trajectory_from_row, table.to_pylist())

    def rows(self, columns: Sequence[str], iteration: int | None = None) -> Iterator[dict[str, Any]]:
        """Some columns of every episode (see ``TRAJECTORY_COLUMNS``); the others are not read."""
        for table in self._tables(iteration, list(columns)):
            yield from table.to_pylist()

    def sweep(self, seconds: float = SWEEP_SECONDS) -> list[str]:
        """Remove parts that killed writers and compaction left behind; returns their names.

        Args:
            seconds: how old they must be; a younger one may be about to be committed, or still be read.
        """
        return sweep(self._file, seconds)

    def _tables(self, iteration: int | None, columns: list[str] | None) -> Iterator[Any]:
        for path in self.parts(iteration):
            yield from read_batches(path, columns)


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
