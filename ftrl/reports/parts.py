"""What a folder holds, told by the files that each stage leaves.

::

    manifest.json     an environment store, or a trajectory store: it says which
    config.yaml       a training run, with iteration-N/ beside it
    results.json      an evaluation; run.json, one of a suite that is not finished
    construction/     a store of tasks that is begun: what was asked and rejected so far
    diff.json         what ``ftrl model diff`` wrote

A folder may hold several of them (a quickstart, a pipeline), or be one of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ftrl import storage
from ftrl.environments.store import CONSTRUCTION
from ftrl.errors import InputError

DEPTH = 4
"""Folders below the run that are looked into."""

_OTHERS = frozenset({"checkpoints", CONSTRUCTION, "parts", "episodes", "sources", "policy", "model"})
"""Folders in which no stage keeps another one."""

_TRAINING = frozenset({"model", "tasks", "collect", "reward", "optim"})
"""Keys that only the settings of a training run have together."""


@dataclass
class RunParts:
    """Paths of what was found, in the order of their names.

    Attributes:
        path: of the run.
        tasks: environment stores, and files in the published format.
        training: folders of ``ftrl train``.
        evaluations: folders of ``ftrl eval``, finished or not.
        trajectories: trajectory stores that are of no training run and of no evaluation that is finished.
        diffs: files ``diff.json``.
        begun: stores that ``ftrl synth`` has begun, with nothing accepted yet.
    """

    path: str
    tasks: list[str] = field(default_factory=list)
    training: list[str] = field(default_factory=list)
    evaluations: list[str] = field(default_factory=list)
    trajectories: list[str] = field(default_factory=list)
    diffs: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.tasks, self.training, self.evaluations, self.trajectories, self.diffs, self.begun))


def find_parts(path: str) -> RunParts:
    """What the folder ``path`` holds; or a file of tasks in the published format.

    Raises:
        InputError: there is nothing there that a report could tell of.
    """
    fs, inner = storage.filesystem(path)
    fs.invalidate_cache()
    found = RunParts(path)
    if fs.isfile(inner):
        if path.endswith((".jsonl", ".parquet")):
            found.tasks.append(path)
    elif fs.isdir(inner):
        _look_into(path, DEPTH, found)
    if not found:
        raise InputError(
            "there is nothing here that a run of ftrl leaves; give the folder that quickstart, train, rollout, eval or "
            "synth wrote",
            file=path,
        )
    return found


def _look_into(folder: str, depth: int, found: RunParts) -> None:
    files, folders = _listing(folder)
    kind = _manifest_kind(folder) if "manifest.json" in files else None
    if kind == "ftrl-environments":
        found.tasks.append(folder)
        return
    if kind == "ftrl-trajectories":
        found.trajectories.append(folder)
        return
    if CONSTRUCTION in folders:
        found.begun.append(folder)
        return
    if "diff.json" in files:
        found.diffs.append(storage.join(folder, "diff.json"))
    if "results.json" in files or "run.json" in files:
        found.evaluations.append(folder)
        return
    own = set()
    if "config.yaml" in files and _is_training(storage.join(folder, "config.yaml")):
        found.training.append(folder)
        own = {"trajectories"}
    for name in folders:
        if depth and name not in _OTHERS | own:
            _look_into(storage.join(folder, name), depth - 1, found)


def _listing(folder: str) -> tuple[set[str], list[str]]:
    """Names of the files and of the folders in a folder; hidden ones left out."""
    fs, inner = storage.filesystem(folder)
    files, folders = set(), []
    for entry in fs.ls(inner, detail=True):
        name = str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]
        if name.startswith("."):
            continue
        if entry["type"] == "directory":
            folders.append(name)
        else:
            files.add(name)
    return files, sorted(folders)


def _manifest_kind(folder: str) -> str | None:
    try:
        manifest = json.loads(storage.read_bytes(storage.join(folder, "manifest.json")))
    except ValueError:
        return None
    kind = manifest.get("format") if isinstance(manifest, dict) else None
    return kind if isinstance(kind, str) else None


def _is_training(file: str) -> bool:
    import yaml

    try:
        settings = yaml.safe_load(storage.read_bytes(file))
    except yaml.YAMLError:
        return False
    return isinstance(settings, dict) and settings.keys() >= _TRAINING
