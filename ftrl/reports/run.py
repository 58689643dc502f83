"""A run as the sections of the report need it: its parts opened, put in order, and named.

Settings name paths as they were when the run was made. A run that has been moved since still finds its own model and
tasks: what lay beside it then is looked for beside it now.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftrl import storage
from ftrl.evaluation import StoredRun, open_run
from ftrl.reports.parts import RunParts, find_parts
from ftrl.reports.task_index import TaskIndex, has_tasks
from ftrl.rollouts import Collection, TrajectoryStore
from ftrl.settings_files import read_layers
from ftrl.training.config import TrainConfig
from ftrl.training.run_folder import RunFolder

_TRAINED = re.compile(r"iteration-(\d+)/policy/?$")


@dataclass(frozen=True)
class Training:
    """A training run: how the report calls it, its folder and settings."""

    label: str
    folder: RunFolder
    config: TrainConfig

    def moved(self, path: str) -> str:
        """A path that the settings name, or where it is now that the run's folder is here."""
        if storage.exists(path) or not Path(path).is_absolute():
            return path
        beside = os.path.relpath(path, Path(self.config.out).absolute())
        return os.path.normpath(self.folder.path / beside)

    @property
    def model(self) -> str:
        """The policy that training began with."""
        return self.moved(self.config.model)

    @property
    def merged(self) -> list[int]:
        """Numbers of the iterations that left a policy."""
        return [number for number in self.numbers if self.folder.policy(number).exists()]

    @property
    def numbers(self) -> list[int]:
        """Numbers of the iterations that were begun."""
        return [n for n in range(1, self.config.iterations + 1) if self.folder.iteration(n).exists()]


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation, and how the report calls it."""

    label: str
    stored: StoredRun


@dataclass(frozen=True)
class EpisodeSet:
    """Episodes of one policy: one iteration of a trajectory store.

    Attributes:
        label: how the report calls it.
        kind: ``evaluation``, ``rollout`` or ``training``.
        store: where they lie.
        collection: policy and settings.
    """

    label: str
    kind: str
    store: TrajectoryStore
    collection: Collection

    @property
    def count(self) -> int:
        """How many episodes there are."""
        return self.store.count(self.collection.iteration)


@dataclass(frozen=True)
class Run:
    """Everything that was found.

    Attributes:
        path: of the run.
        parts: what lies where.
        tasks: every task that the run names.
        training: in the order of their paths.
        evaluations: those of the untrained policy first, then by iteration.
        unfinished: labels of evaluations without results.
        episodes: every set of episodes, evaluations first.
    """

    path: str
    parts: RunParts
    tasks: TaskIndex
    training: list[Training]
    evaluations: list[Evaluated]
    unfinished: list[str]
    episodes: list[EpisodeSet]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]


def open_run_folder(path: str, *, tasks: Iterable[str] = (), evaluations: Iterable[str] = ()) -> Run:
    """Open a run.

    Args:
        path: its folder, or a file of tasks.
        tasks: sets of tasks that its settings do not name.
        evaluations: folders of evaluations that lie elsewhere, in the order in which they are to be compared.

    Raises:
        InputError: there is nothing to open, or something that cannot be read.
    """
    path = path.rstrip("/") or path
    parts = find_parts(path)
    training = [_training(path, folder) for folder in parts.training]
    found = [folder for folder in parts.evaluations if storage.exists(storage.join(folder, "results.json"))]
    given = [folder.rstrip("/") for folder in evaluations]
    labels = _labels(path, list(dict.fromkeys([*found, *given])))
    finished = [Evaluated(label, open_run(folder)) for folder, label in labels.items()]
    finished.sort(key=lambda one: trained_iteration(one.stored.model))  # stable: else as they were given
    return Run(
        path=path,
        parts=parts,
        tasks=TaskIndex([*parts.tasks, *tasks], _named_tasks(training, finished)),
        training=training,
        evaluations=finished,
        unfinished=[_label(path, folder) for folder in parts.evaluations if folder not in found],
        episodes=list(_episodes(path, parts, training, finished)),
    )


def trained_iteration(policy: str) -> int:
    """The iteration whose policy this is, by its path; 0 for one that no run of ours has trained."""
    match = _TRAINED.search(policy)
    return int(match[1]) if match else 0


def _training(path: str, folder: str) -> Training:
    config = read_layers(storage.join(folder, "config.yaml")).into(TrainConfig)
    return Training(_label(path, folder), RunFolder(folder), config)


def _named_tasks(training: list[Training], finished: list[Evaluated]) -> Iterator[str]:
    """Tasks that settings and results name and that are still there."""
    for run in training:
        if has_tasks(moved := run.moved(run.config.tasks)):
            yield os.path.normpath(moved) if storage.is_local(moved) else moved
    for one in finished:
        if has_tasks(one.stored.results.tasks):
            yield one.stored.results.tasks


def _episodes(path: str, parts: RunParts, training: list[Training], finished: list[Evaluated]) -> Iterator[EpisodeSet]:
    for one in finished:
        store = storage.join(one.stored.path, "trajectories")
        if storage.exists(storage.join(store, "manifest.json")):
            yield from _sets(one.label, "evaluation", store)
    for folder in parts.trajectories:
        yield from _sets(_label(path, folder), "rollout", folder)
    for run in training:
        if storage.exists(storage.join(run.folder.trajectories, "manifest.json")):
            yield from _sets(run.label, "training", run.folder.trajectories)


def _sets(label: str, kind: str, path: str) -> Iterator[EpisodeSet]:
    store = TrajectoryStore.open(path)
    several = kind == "training" or len(store.collections) > 1
    for collection in sorted(store.collections, key=lambda one: one.iteration):
        name = f"{label}, iteration {collection.iteration}" if several else label
        if store.count(collection.iteration):
            yield EpisodeSet(name, kind, store, collection)


def _label(run: str, folder: str, keep: int = 1) -> str:
    """A part's name: its path below the run, without what all of its kind are called; of a folder elsewhere its end."""
    below = folder.removeprefix(run + "/") if folder.startswith(run + "/") else ""
    names = [name for name in below.split("/") if name not in ("", "evaluation", "trajectories")]
    return "/".join(names or folder.rstrip("/").split("/")[-keep:])


def _labels(run: str, folders: Sequence[str]) -> dict[str, str]:
    """Folder → its name; of folders elsewhere as much of their ends as tells them apart."""
    labels: dict[str, str] = {}
    for keep in range(1, 1 + max((folder.count("/") for folder in folders), default=0)):
        labels = {folder: _label(run, folder, keep) for folder in folders}
        if len(set(labels.values())) == len(folders):
            break
    return labels
