"""``ftrl synth --like``: solve rates as they are given, or as a trajectory store tells them."""

from __future__ import annotations

import json


def solve_rates(like: str, out: str, *, resume: bool) -> str:
    """The file of solve rates to go by.

    Those of a trajectory store are written beside the tasks that are made: whoever looks at them later finds what
    they were made by, and a run that is resumed goes by the same although episodes were added.

    Args:
        like: a JSONL file, or a trajectory store.
        out: the store of tasks that is to be written.
        resume: whether a run before has written them.

    Raises:
        InputError: there is no episode in the store.
    """
    from ftrl import storage
    from ftrl.rollouts.store import is_trajectory_store

    if not is_trajectory_store(like):
        return like
    path = storage.join(out, "construction", "solve_rates.jsonl")
    if not (resume and storage.exists(path)):
        lines = [json.dumps({"environment_id": task, "solve_rate": rate}) for task, rate in _rates(like).items()]
        storage.write_bytes(path, ("\n".join(lines) + "\n").encode())
    return path


def _rates(path: str) -> dict[str, float]:
    """Task to the mean share of its golds that an episode brought, by the profile that it was played under."""
    from ftrl.errors import InputError
    from ftrl.rollouts import TrajectoryStore

    recalls: dict[str, list[float]] = {}
    for row in TrajectoryStore.open(path).rows(["environment_id", "metrics"]):
        recalls.setdefault(row["environment_id"], []).append(row["metrics"][0]["recall"])
    if not recalls:
        raise InputError("there is no episode in this trajectory store", file=path, field="like")
    return {task: sum(each) / len(each) for task, each in sorted(recalls.items())}
