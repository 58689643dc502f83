"""All tasks of a store, to be played by somebody else's agents: what an exported package stands on."""

from __future__ import annotations

import os
import threading

from ftrl.environments import open_tasks
from ftrl.environments.trace import waves
from ftrl.sandbox import Sandbox
from ftrl.serving.play import Play
from ftrl.serving.toolbox import Toolbox


class Playground:
    """Tasks, and one sandbox that all of their plays share. Threads may share a playground.

    The sandbox starts when it is first needed, once in each process.

    Args:
        tasks: a store, or a file in the published format.
        workers: calls at the same time; as many as there are cores if None.

    Raises:
        InputError: there are no tasks at that place.
    """

    def __init__(self, tasks: str, workers: int | None = None) -> None:
        self.tasks = open_tasks(tasks)
        self._workers = workers
        self._sandbox: Sandbox | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self._splits: dict[str, tuple[str, ...]] | None = None

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """The ids of each split's tasks, in order."""
        if self._splits is None:
            found: dict[str, list[str]] = {}
            for environment in self.tasks:
                found.setdefault(environment.split, []).append(environment.id)
            self._splits = {split: tuple(ids) for split, ids in found.items()}
        return self._splits

    def play(self, environment_id: str) -> Play:
        """A new episode of a task.

        Raises:
            InputError: there is no such task.
        """
        environment = self.tasks.get(environment_id)
        return Play(environment, self.tasks.sources(environment), self.sandbox())

    def toolbox(self, environment_id: str) -> Toolbox:
        """What an agent may see of a task.

        Raises:
            InputError: there is no such task.
        """
        environment = self.tasks.get(environment_id)
        return Toolbox(environment, self.tasks.sources(environment), self.sandbox())

    def sound(self, environment_id: str) -> bool | None:
        """Whether the task's golden calls bring back all of its golds; null where it has no golden calls.

        Raises:
            InputError: there is no such task.
            Unscorable: a call could not be run, through a fault of ours.
        """
        environment = self.tasks.get(environment_id)
        if not environment.trace:
            return None
        play = self.play(environment_id)
        for wave in waves(environment.trace):
            play.turn([(step.tool, step.arguments) for step in wave])
        return play.metrics().f1 == 1.0

    def sandbox(self) -> Sandbox:
        """The sandbox of this process."""
        with self._lock:
            if self._sandbox is None or self._owner != os.getpid():
                self._sandbox, self._owner = Sandbox(self._workers), os.getpid()
            return self._sandbox
