"""The environment store: a folder, local or on S3, that holds environments and the sources of their tools.

::

    STORE/manifest.json                  names the parts; written last, whole or not at all
    STORE/environments/*.parquet         one row an environment, in order
    STORE/sources/*.parquet              one row a distinct tool source, by sha256

Only what the manifest names belongs to the store. A writer that is killed leaves files that no reader sees,
and the next writer sweeps them away.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Literal

from pydantic import ValidationError

from ftrl import storage
from ftrl.environments.columns import (
    ENVIRONMENT_COLUMNS,
    SOURCE_COLUMNS,
    check_json,
    environment_from_row,
    environment_to_row,
)
from ftrl.environments.parts import PART_NAME, Part, PartsReader, PartsWriter
from ftrl.environments.schema import Environment, Record, content_id, source_id
from ftrl.errors import FtrlError, InputError

MANIFEST = "manifest.json"
TABLES = ("environments", "sources")
CONSTRUCTION = "construction"
"""A folder that a store may have for the records of how it was made; nothing that reads a store looks into it."""


class Manifest(Record):
    """What ``manifest.json`` says."""

    format: Literal["ftrl-environments"]
    version: Literal[1]
    environments: tuple[Part, ...] = ()
    sources: tuple[Part, ...] = ()


EMPTY = Manifest(format="ftrl-environments", version=1)


class EnvironmentStore:
    """Environments, read from a committed store. Cheap to open and to send to another process."""

    def __init__(self, path: str, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest
        self._environments = PartsReader(path, manifest.environments)
        self._sources = PartsReader(path, manifest.sources)
        self._rows: dict[str, int] | None = None
        self._source_rows: dict[str, int] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str) -> EnvironmentStore:
        """The store at ``path``.

        Raises:
            InputError: there is no store, or it was written by a version of ftrl that this one cannot read.
        """
        manifest = _read_manifest(path)
        if manifest is None:
            raise InputError("this is no environment store (it has no manifest.json)", file=path)
        return cls(path, manifest)

    @classmethod
    def create(cls, path: str, *, overwrite: bool = False, append: bool = False) -> EnvironmentStoreWriter:
        """A writer, to be used in a ``with`` block; the store changes when the block ends well.

        Args:
            path: the folder; it may exist if it is empty.
            overwrite: replace a store that is there.
            append: add to a store that is there.

        Raises:
            InputError: there is a store and neither ``overwrite`` nor ``append`` is given, or something else
                is there.
        """
        before = _read_manifest(path)
        if before is None:
            _refuse_foreign_folder(path)
        elif not (overwrite or append):
            raise InputError("there is an environment store already; choose another place, or overwrite it", file=path)
        return EnvironmentStoreWriter(path, before, append=append)

    def __reduce__(self) -> tuple[type[EnvironmentStore], tuple[str, Manifest]]:
        return (EnvironmentStore, (self.path, self._manifest))

    def __len__(self) -> int:
        return len(self._environments)

    def __iter__(self) -> Iterator[Environment]:
        return map(environment_from_row, iter(self._environments))

    def __getitem__(self, row: int) -> Environment:
        return environment_from_row(self._environments.row(row))

    def get(self, environment_id: str) -> Environment:
        """The environment with this id.

        Raises:
            InputError: the store has none.
        """
        with self._lock:
            if self._rows is None:
                self._rows = {identity: row for row, identity in enumerate(self.ids())}
        row = self._rows.get(environment_id)
        if row is None:
            raise InputError(f"there is no environment with the id {environment_id}", file=self.path)
        return self[row]

    def ids(self) -> list[str]:
        """The ids of all environments, in order."""
        return list(self._environments.column("id"))

    def sources(self, environment: Environment) -> dict[str, str]:
        """Tool name → source, in the order of ``implementations``.

        Raises:
            InputError: the store lacks one of them.
        """
        return {tool: self._source(tool, sha256) for tool, sha256 in environment.implementations.items()}

    def all_sources(self) -> Iterator[str]:
        """The sources of all tools, each once."""
        return (row["source"] for row in self._sources)

    def parts(self) -> list[str]:
        """The Parquet files of the environments, for Ray Data or any other reader."""
        return [storage.join(self.path, part.name) for part in self._manifest.environments]

    def _source(self, tool: str, sha256: str) -> str:
        with self._lock:
            if self._source_rows is None:
                names = self._sources.column("sha256")
                self._source_rows = {name: row for row, name in enumerate(names)}
        row = self._source_rows.get(sha256)
        if row is None:
            raise InputError(f"the source {sha256} of the tool '{tool}' is missing", file=self.path)
        source: str = self._sources.row(row)["source"]
        return source


class EnvironmentStoreWriter:
    """Adds environments one by one, with bounded memory, and commits them together.

    For each environment and each source it remembers a hash of 32 bytes, and nothing else.
    """

    def __init__(self, path: str, before: Manifest | None, *, append: bool) -> None:
        self.path = path
        self._before = before
        self._new_folder = storage.is_local(path) and not storage.exists(path)
        self._kept = before if before is not None and append else EMPTY
        token = uuid.uuid4().hex[:12]
        self._environments = PartsWriter(
            path, "environments", ENVIRONMENT_COLUMNS, token, plain=("scenario", "split", "data_source")
        )
        self._sources = PartsWriter(path, "sources", SOURCE_COLUMNS, token)
        kept = EnvironmentStore(path, self._kept)
        self._ids = {bytes.fromhex(identity) for identity in kept.ids()}
        self._source_ids = {bytes.fromhex(name) for name in PartsReader(path, self._kept.sources).column("sha256")}

    def add(self, environment: Environment, sources: Mapping[str, str]) -> None:
        """Append an environment and the sources of its tools.

        Raises:
            InputError: the sources are not those that ``implementations`` names, the id is not that of the
                content, the same environment was added before, or a value cannot be stored exactly.
        """
        row = environment_to_row(environment)
        for tool, source in sources.items():
            check_json({tool: source}, "sources")
        named = {tool: source_id(source) for tool, source in sources.items()}
        if named != environment.implementations:
            wrong = sorted(
                tool
                for tool in {**named, **environment.implementations}
                if named.get(tool) != environment.implementations.get(tool)
            )
            raise InputError(f"not the source that the environment names: {', '.join(wrong)}", field="implementations")
        if environment.id != content_id(environment):
            raise InputError(f"{environment.id} is not the id of this content; leave it out", field="id")
        identity = bytes.fromhex(environment.id)
        if identity in self._ids:
            raise InputError(f"the environment {environment.id} is in the store already", field="id")
        for tool, sha256 in named.items():
            if bytes.fromhex(sha256) not in self._source_ids:
                self._source_ids.add(bytes.fromhex(sha256))
                self._sources.add({"sha256": sha256, "source": sources[tool]})
        self._ids.add(identity)
        self._environments.add(row)

    def __enter__(self) -> EnvironmentStoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._commit()
        except BaseException:
            self._discard()
            raise

    def _commit(self) -> None:
        environments = (*self._kept.environments, *self._environments.close())
        sources = (*self._kept.sources, *self._sources.close())
        manifest = EMPTY.model_copy(update={"environments": environments, "sources": sources})
        if _read_manifest(self.path) != self._before:
            raise FtrlError(f"{self.path}: another program changed this store meanwhile; run the command again")
        self._sources.publish()
        self._environments.publish()
        text = json.dumps(manifest.model_dump(mode="json"), indent=1)
        storage.write_bytes(storage.join(self.path, MANIFEST), text.encode())
        _sweep(self.path, manifest)

    def _discard(self) -> None:
        self._environments.discard()
        self._sources.discard()
        if self._new_folder:
            _remove_empty_folders(self.path)


def is_store(path: str) -> bool:
    """Whether there is an environment store at ``path``."""
    return _read_manifest(path) is not None


def _read_manifest(path: str) -> Manifest | None:
    place = storage.join(path, MANIFEST)
    fs, inner = storage.filesystem(place)
    try:
        data = fs.cat_file(inner)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=place) from error
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        what = error.errors()[0]
        raise InputError(
            f"this is no manifest that this version of ftrl can read ({what['msg']})",
            file=place,
            field=".".join(map(str, what["loc"])) or None,
        ) from error


def _refuse_foreign_folder(path: str) -> None:
    fs, inner = storage.filesystem(path)
    if fs.isfile(inner):
        raise InputError("there is a file at this path; a store is a folder", file=path)
    fs.invalidate_cache()
    try:
        names = {entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(inner, detail=False)}
    except FileNotFoundError:
        return
    # The folders of an interrupted writer may be there: nothing in them is worth keeping. What a synthesis records
    # beside its store may be older than the store.
    if foreign := sorted(names - {*TABLES, CONSTRUCTION}):
        raise InputError(f"this folder holds other things ({foreign[0]}); choose a new or empty one", file=path)


def _sweep(path: str, manifest: Manifest) -> None:
    """Remove parts that the manifest does not name: those replaced, and those of interrupted writers."""
    named = {part.name for part in (*manifest.environments, *manifest.sources)}
    for table in TABLES:
        fs, inner = storage.filesystem(storage.join(path, table))
        fs.invalidate_cache()
        try:
            entries = fs.ls(inner, detail=False)
        except FileNotFoundError:
            continue
        for entry in entries:
            name = entry.rsplit("/", 1)[-1]
            if PART_NAME.fullmatch(name) and f"{table}/{name}" not in named:
                fs.rm_file(entry)


def _remove_empty_folders(path: str) -> None:
    fs, inner = storage.filesystem(path)
    for folder in (*(storage.join(inner, table) for table in TABLES), inner):
        if fs.isdir(folder) and not fs.ls(folder, detail=False):
            fs.rmdir(folder)
