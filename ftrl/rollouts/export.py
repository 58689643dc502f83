"""The store's snapshots in the published step-expanded format, one row a step (paper, section 3.3).

Here they are a view, made when asked for. Written out, each step repeats its task, tools and code: that is what others'
training code reads, and some fifty times larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ftrl.environments import Environment, Tasks, open_tasks
from ftrl.environments.columns import to_text
from ftrl.environments.published import Task, write_task
from ftrl.environments.row_files import PUBLISHED_COLUMNS, writing_rows
from ftrl.errors import InputError
from ftrl.rollouts.snapshots import snapshots
from ftrl.rollouts.store import TrajectoryStore
from ftrl.rollouts.trajectory import Trajectory

_CALL = pa.struct(
    [
        ("id", pa.string()),
        ("type", pa.string()),
        ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
    ]
)
_MESSAGE = pa.struct(
    [
        ("content", pa.string()),
        ("role", pa.string()),
        ("tool_calls", pa.list_(_CALL)),
        ("tool_call_id", pa.string()),
    ]
)
STEP_COLUMNS = PUBLISHED_COLUMNS.set(0, pa.field("messages", pa.list_(_MESSAGE)))
"""One row a step; a message's fields that it does not have are null."""


def step_rows(environment: Environment, sources: dict[str, str], trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    """The steps of one trajectory, as the published collector stores them."""
    row = write_task(Task(environment, sources))
    for snapshot in snapshots(environment, trajectory):
        yield {
            **row,
            "messages": list(snapshot.messages),
            "unsolved_set": to_text(snapshot.unsolved),
            "solve_rate": snapshot.solve_rate,
        }


def export_steps(
    store: str,
    tasks: str,
    out: str,
    *,
    iteration: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write every step of every trajectory to a file, holding one trajectory at a time.

    Args:
        store: the trajectory store.
        tasks: the tasks that were played, a store or a file.
        out: a ``.jsonl`` or ``.parquet`` file; it appears whole or not at all.
        iteration: only this round's trajectories.
        on_progress: called with the trajectories so far and their number.

    Returns:
        How many steps there are.

    Raises:
        InputError: a trajectory's task is not among the tasks, or the file cannot be written.
    """
    trajectories = TrajectoryStore.open(store)
    played = open_tasks(tasks)
    rows = {id_: row for row, id_ in enumerate(played.ids())}
    total, steps = trajectories.count(iteration), 0
    with writing_rows(out, STEP_COLUMNS) as write:
        for number, trajectory in enumerate(trajectories.read(iteration), start=1):
            environment = _task_of(trajectory, played, rows, tasks)
            for row in step_rows(environment, dict(played.sources(environment)), trajectory):
                write(row)
                steps += 1
            if on_progress is not None:
                on_progress(number, total)
    return steps


def _task_of(trajectory: Trajectory, played: Tasks, rows: dict[str, int], tasks: str) -> Environment:
    row = rows.get(trajectory.environment_id)
    if row is None:
        raise InputError(
            f"the task {trajectory.environment_id[:12]} of trajectory {trajectory.id} is not here; give the tasks that "
            "were played",
            file=tasks,
        )
    return played[row]
