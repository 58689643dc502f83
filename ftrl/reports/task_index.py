"""The tasks that a run has to do with, by id, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable

from ftrl import storage
from ftrl.environments import Environment, Tasks, is_store, open_tasks


class TaskIndex:
    """Environments and the sources of their tools; of a task that lies in two places, the first is taken.

    Args:
        paths: environment stores and files in the published format.
        others: more of them, which are left out where they hold nothing new: a run that was copied names the tasks
            that lay beside it then, and has them beside it now.

    Raises:
        InputError: one of them cannot be read.
    """

    def __init__(self, paths: Iterable[str], others: Iterable[str] = ()) -> None:
        self.sets: dict[str, Tasks] = {}
        self._rows: dict[str, tuple[str, int]] = {}
        for path in paths:
            self._add(path)
        for path in others:
            self._add(path, only_news=True)

    def _add(self, path: str, *, only_news: bool = False) -> None:
        if path in self.sets:
            return
        tasks = open_tasks(path)
        ids = tasks.ids()
        if only_news and all(id_ in self._rows for id_ in ids):
            return
        self.sets[path] = tasks
        for row, id_ in enumerate(ids):
            self._rows.setdefault(id_, (path, row))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def place(self, id_: str) -> tuple[str, int]:
        """Path of its set, and 0-based row; ``KeyError`` if there is no such task."""
        return self._rows[id_]

    def get(self, id_: str) -> tuple[Environment, dict[str, str]] | None:
        """The task and tool → source; none if it is not here."""
        if id_ not in self._rows:
            return None
        path, row = self._rows[id_]
        tasks = self.sets[path]
        environment = tasks[row]
        return environment, tasks.sources(environment)


def has_tasks(path: str) -> bool:
    """Whether tasks lie at ``path``, as a store or a file; settings name them, and a run may have been moved."""
    return is_store(path) or (path.endswith((".jsonl", ".parquet")) and storage.exists(path))
