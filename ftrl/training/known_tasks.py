"""The tasks of a run, for those who score many responses to each: read once, and kept."""

from __future__ import annotations

from ftrl.environments import EnvironmentStore
from ftrl.rewards import ScoredTask


class KnownTasks:
    """Tasks by their ids. Threads may share it.

    Args:
        path: of the environment store.
    """

    def __init__(self, path: str) -> None:
        self.store = EnvironmentStore.open(path)
        self._tasks: dict[str, ScoredTask] = {}

    def get(self, environment_id: str) -> ScoredTask:
        """A task with its tools' sources.

        Raises:
            InputError: the store has none of that id.
        """
        if environment_id not in self._tasks:
            environment = self.store.get(environment_id)
            self._tasks[environment_id] = ScoredTask.of(environment, self.store.sources(environment))
        return self._tasks[environment_id]
