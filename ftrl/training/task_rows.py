"""Tasks → rows, one a task: where whole episodes are trained on, their prompts are the tasks themselves.

A task that nobody has played is, to what makes prompts, an episode without a turn.
"""

from __future__ import annotations

import pyarrow as pa

from ftrl.environments import Environment, EnvironmentStore
from ftrl.environments.columns import environment_from_row
from ftrl.rollouts import PolicyIdentity, Trajectory, TrajectoryStatus
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.reading import worked_on
from ftrl.training.selection import Selected
from ftrl.training.snapshot_rows import ROW_COLUMNS, SnapshotTokeniser, StreamSettings

TASKS_AT_ONCE = 32
NOBODY = PolicyIdentity(name="nobody")


def prepare_tasks(settings: StreamSettings, prompts: PromptFiles) -> Selected:
    """Make prompts of the tasks, of the first ``settings.limit`` of them."""
    store = EnvironmentStore.open(settings.environments)
    tasks = min(len(store), settings.limit or len(store))
    rows = worked_on(
        store.parts(),
        TaskTokeniser,
        (settings, frozenset(store.ids()[:tasks])),
        at_once=TASKS_AT_ONCE,
        workers=settings.tokenisers,
    )
    return prompts.make(tasks, rows, settings.select)


class TaskTokeniser:
    """One Ray Data actor's work: environments in, rows out.

    Args:
        settings: see there.
        wanted: ids of the environments that are taken.
    """

    def __init__(self, settings: StreamSettings, wanted: frozenset[str]) -> None:
        self._tokeniser = SnapshotTokeniser(settings)
        self._wanted = wanted

    def __call__(self, table: pa.Table) -> pa.Table:
        """A batch of rows of the environment store, as ``ROW_COLUMNS``."""
        environments = map(environment_from_row, table.to_pylist())
        wanted = (environment for environment in environments if environment.id in self._wanted)
        rows = [row for environment in wanted for row in self._tokeniser.rows(environment, unplayed(environment))]
        return pa.Table.from_pylist(rows, schema=ROW_COLUMNS)


def unplayed(environment: Environment) -> Trajectory:
    """The episode that has not begun; its id is the task's."""
    return Trajectory(
        id=environment.id,
        run="",
        environment_id=environment.id,
        policy=NOBODY,
        iteration=0,
        sample=0,
        status=TrajectoryStatus.ANSWERED,
        messages=tuple(environment.messages()),
        calls=(),
        turns=(),
        metrics=(),
    )
