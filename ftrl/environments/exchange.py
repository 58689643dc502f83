"""Moving tasks in and out: import of the published format, export to it, and validation of either."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ftrl import storage
from ftrl.environments.checks import Problem, check_environment
from ftrl.environments.published import BadRow, Task, read_json_line, read_task, write_task
from ftrl.environments.row_files import RawRow, open_rows, writing_rows
from ftrl.environments.schema import Environment, Json, content_id, source_id
from ftrl.environments.store import EnvironmentStore, is_store
from ftrl.environments.tasks import Seen, bad_row, open_tasks
from ftrl.errors import InputError


@dataclass(frozen=True)
class Progress:
    """How far an import, export or validation has come.

    Attributes:
        rows: rows read so far.
        bad: how many of them are no sound task.
        refused: how many are sound tasks that the caller objected to.
    """

    rows: int
    bad: int = 0
    refused: int = 0


@dataclass(frozen=True)
class RowProblem:
    """One thing that is wrong with one row of a file or store.

    Attributes:
        line: the 1-based line (JSONL) or row (Parquet, store).
        field: the field at fault; null when the row as a whole is.
        message: what is wrong, as a sentence.
    """

    line: int
    field: str | None
    message: str


def rejects_path(out: str) -> str:
    """Where an import into the store ``out`` writes the rows that it leaves out."""
    return out.rstrip("/") + ".rejects.jsonl"


def import_published(
    file: str,
    out: str,
    *,
    skip_bad: bool = False,
    overwrite: bool = False,
    objection: Callable[[Environment, Mapping[str, str]], str | None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Import a file in the published format into a new store.

    Args:
        file: a ``.jsonl`` or ``.parquet`` file.
        out: the store to create.
        skip_bad: leave out rows that are no sound task and write them to ``rejects_path(out)``, a JSON object
            a line: ``line``, ``field``, ``reason`` and ``row``. The file is there if rows were left out.
        overwrite: replace a store that is there.
        objection: asked about every sound task with its sources: why it is to be left out, or null. Tasks left
            out are written to ``rejects_path(out)`` too.
        on_progress: called after every row.

    Raises:
        InputError: a row is bad and ``skip_bad`` is not set, no row is good, or the store cannot be created.
            Then no store is written, and an earlier one is as it was.
    """
    if is_store(file):
        raise InputError("this is an environment store already; import takes a .jsonl or .parquet file", file=file)
    rows = open_rows(file)
    seen = Seen()
    done = Progress(0)
    with EnvironmentStore.create(out, overwrite=overwrite) as store:
        with _Rejects(rejects_path(out)) as rejects:
            for raw in rows:
                try:
                    task = read_task(raw.content)
                    if (repeats := seen.add(task.environment, raw.line)) is not None:
                        raise BadRow([Problem(None, repeats)])
                except BadRow as error:
                    if not skip_bad:
                        raise bad_row(error, file, raw.line) from error
                    rejects.add(raw, error.problems[0])
                    done = replace(done, rows=done.rows + 1, bad=done.bad + 1)
                else:
                    against = None if objection is None else objection(task.environment, task.sources)
                    if against is None:
                        store.add(task.environment, task.sources)
                    else:
                        rejects.add(raw, Problem(None, against))
                    done = replace(done, rows=done.rows + 1, refused=done.refused + (against is not None))
                if on_progress is not None:
                    on_progress(done)
        if done.rows == 0:
            raise InputError("there is no row in this file", file=file)
        if done.rows == done.bad + done.refused:
            wanted = "a task that was asked for" if done.refused else "a sound task"
            raise InputError(f"none of the {done.rows} rows is {wanted}; see {rejects.path}", file=file)
    if not done.bad + done.refused:
        _remove(rejects.path)
    return done


def export_published(tasks: str, out: str, *, on_progress: Callable[[Progress], None] | None = None) -> Progress:
    """Write tasks as a ``.jsonl`` or ``.parquet`` file in the published format.

    The file appears whole when the last row is written, in the place of one that is there.

    Raises:
        InputError: there are no tasks at ``tasks``, or ``out`` has another ending.
    """
    source = open_tasks(tasks)
    done = Progress(0)
    with writing_rows(out) as write:
        for environment in source:
            write(write_task(Task(environment, source.sources(environment))))
            done = Progress(done.rows + 1)
            if on_progress is not None:
                on_progress(done)
    return done


def validate(path: str) -> Iterator[list[RowProblem]]:
    """The problems of each row of a store or file, row by row: an empty list for a sound one.

    Raises:
        InputError: there are no tasks at ``path``.
    """
    if is_store(path):
        yield from _validate_store(EnvironmentStore.open(path))
        return
    seen = Seen()
    for raw in open_rows(path):
        try:
            repeats = seen.add(read_task(raw.content).environment, raw.line)
            yield [] if repeats is None else [RowProblem(raw.line, None, repeats)]
        except BadRow as error:
            yield [RowProblem(raw.line, problem.field, problem.message) for problem in error.problems]


def _validate_store(store: EnvironmentStore) -> Iterator[list[RowProblem]]:
    for row, environment in enumerate(store, start=1):
        try:
            sources = store.sources(environment)
        except InputError as error:
            yield [RowProblem(row, "implementations", error.message)]
            continue
        problems = list(check_environment(environment, sources))
        if environment.id != content_id(environment):
            problems.append(Problem("id", "the id is not that of the content: the store was changed by other means"))
        problems += [
            Problem("implementations", f"the source of '{tool}' is not the one that its sha256 names")
            for tool, source in sources.items()
            if source_id(source) != environment.implementations[tool]
        ]
        yield [RowProblem(row, problem.field, problem.message) for problem in problems]


class _Rejects:
    """The file of rows that were left out; it is written only if there are some."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._stack = contextlib.ExitStack()
        self._file: Any = None

    def add(self, raw: RawRow, problem: Problem) -> None:
        if self._file is None:
            self._file = self._stack.enter_context(storage.writing(self.path))
        record = {"line": raw.line, "field": problem.field, "reason": problem.message, "row": _readable(raw)}
        self._file.write(json.dumps(record, default=repr).encode() + b"\n")

    def __enter__(self) -> _Rejects:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)


def _readable(raw: RawRow) -> Json:
    """The row as JSON, or as text where it is none."""
    if not isinstance(raw.content, bytes):
        return raw.content
    try:
        return read_json_line(raw.content)
    except BadRow:
        return raw.content.decode(errors="backslashreplace").rstrip("\r\n")


def _remove(path: str) -> None:
    fs, inner = storage.filesystem(path)
    with contextlib.suppress(FileNotFoundError):
        fs.rm_file(inner)
