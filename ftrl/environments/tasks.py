"""TASKS, as every command takes them: an environment store, or a file in the published format."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from ftrl.environments.published import BadRow, Task, read_task
from ftrl.environments.row_files import RawRow, open_rows
from ftrl.environments.schema import Environment
from ftrl.environments.store import EnvironmentStore, is_store
from ftrl.errors import InputError

CACHED_TASKS = 128
ID_LENGTH = 64
SHORTEST_PREFIX = 6


class Tasks(Protocol):
    """Environments with the sources of their tools, in order."""

    @property
    def path(self) -> str:
        """Where they lie."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Environment]: ...

    def __getitem__(self, row: int) -> Environment:
        """The environment in this 0-based row; ``IndexError`` if there is none."""

    def get(self, environment_id: str) -> Environment:
        """The environment with this id; ``InputError`` if there is none."""

    def ids(self) -> list[str]:
        """The ids of all environments, in order."""

    def sources(self, environment: Environment) -> dict[str, str]:
        """Tool name → source of an environment that came from here."""


def open_tasks(path: str) -> Tasks:
    """The tasks at ``path``.

    Args:
        path: an environment store, or a ``.jsonl`` or ``.parquet`` file in the published format.

    Raises:
        InputError: there is neither.
    """
    return EnvironmentStore.open(path) if is_store(path) else PublishedTasks(path)


class PublishedTasks:
    """A file in the published format, read where it lies; row by row, with flat memory.

    A row that is no sound task, or that repeats an earlier one, raises ``InputError`` when it is reached.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._rows = open_rows(path)
        self._by_id: dict[str, int] | None = None
        self._cache: OrderedDict[int, Task] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[PublishedTasks], tuple[str]]:
        return (PublishedTasks, (self.path,))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Environment]:
        seen = Seen()
        for row, raw in enumerate(self._rows):
            task = self._read(raw)
            if (repeats := seen.add(task.environment, raw.line)) is not None:
                raise InputError(repeats, file=self.path, line=raw.line)
            self._keep(row, task)
            yield task.environment

    def __getitem__(self, row: int) -> Environment:
        return self._task(row).environment

    def get(self, environment_id: str) -> Environment:
        """The environment with this id."""
        return self._task(self._row_of(environment_id)).environment

    def ids(self) -> list[str]:
        """The ids of all environments, in order; reads the whole file once."""
        if self._by_id is None:
            self._by_id = {environment.id: row for row, environment in enumerate(self)}
        return list(self._by_id)

    def sources(self, environment: Environment) -> dict[str, str]:
        """Tool name → source."""
        with self._lock:
            for task in reversed(self._cache.values()):
                if task.environment.id == environment.id:
                    return task.sources
        return self._task(self._row_of(environment.id)).sources

    def _row_of(self, environment_id: str) -> int:
        self.ids()
        row = (self._by_id or {}).get(environment_id)
        if row is None:
            raise InputError(f"there is no environment with the id {environment_id}", file=self.path)
        return row

    def _task(self, row: int) -> Task:
        with self._lock:
            task = self._cache.get(row)
        if task is None:
            task = self._read(self._rows[row])
            self._keep(row, task)
        return task

    def _keep(self, row: int, task: Task) -> None:
        with self._lock:
            self._cache[row] = task
            if len(self._cache) > CACHED_TASKS:
                self._cache.popitem(last=False)

    def _read(self, raw: RawRow) -> Task:
        try:
            return read_task(raw.content)
        except BadRow as error:
            raise bad_row(error, self.path, raw.line) from error


class Seen:
    """The tasks read so far, to tell when one comes again; about 100 bytes each."""

    def __init__(self) -> None:
        self._lines: dict[bytes, int] = {}

    def add(self, environment: Environment, line: int) -> str | None:
        """Note a task; if it was noted before, a sentence that says where."""
        first = self._lines.setdefault(bytes.fromhex(environment.id), line)
        return None if first == line else f"this is the same task as in line {first}; leave one of them out"


def bad_row(error: BadRow, path: str, line: int) -> InputError:
    """What is wrong with a row, as the error that ends a command."""
    problem = error.problems[0]
    others = len(error.problems) - 1
    more = f" (and {others} more in this row; `ftrl env validate` lists all)" if others else ""
    return InputError(problem.message + more, file=path, line=line, field=problem.field)


def find_task(tasks: Tasks, wanted: str) -> Environment:
    """The task that a person asks for.

    Args:
        tasks: where to look.
        wanted: a 0-based row number, an id, or the first six or more characters of one.

    Raises:
        InputError: no task is meant by it, or more than one.
    """
    if wanted.isdecimal() and len(wanted) < ID_LENGTH:
        if int(wanted) < len(tasks):
            return tasks[int(wanted)]
        if len(wanted) < SHORTEST_PREFIX:
            raise InputError(f"there is no row {wanted}; rows go from 0 to {len(tasks) - 1}", file=tasks.path)
    if len(wanted) < SHORTEST_PREFIX:
        raise InputError(f"'{wanted}' is neither a row number nor 6 or more characters of an id", file=tasks.path)
    found = [identity for identity in tasks.ids() if identity.startswith(wanted)]
    if not found:
        raise InputError(f"no task has an id that starts with '{wanted}'", file=tasks.path)
    if len(found) > 1:
        raise InputError(f"{len(found)} tasks have an id that starts with '{wanted}'; give more of it", file=tasks.path)
    return tasks.get(found[0])
