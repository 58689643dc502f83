"""What a run's configuration asks of a cluster.

Read are the files of ``jobs/``. Only what says something about machines and paths is looked at; whether the rest is
right is for the run itself to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ftrl import storage
from ftrl.errors import InputError

Kind = Literal["pipeline", "synthesis", "rollout or evaluation", "training run"]

STAGES = ("synthesize", "held_out", "rollout", "train", "evaluate")
"""The parts of a pipeline's file."""


class _Some(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Hardware(_Some):
    """The part ``hardware`` of a training run; the defaults are the run's own."""

    device: Literal["gpu", "cpu"] = "gpu"
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=8, ge=1)
    tensor_parallel: int = Field(default=2, ge=1)


class Engine(_Some):
    """The part ``engine`` of a rollout or evaluation; the defaults are theirs."""

    engines: int = Field(default=1, ge=1)
    tensor_parallel: int = Field(default=1, ge=1)


class _Collect(_Some):
    engines: int = Field(default=1, ge=1)


class _Stage(_Some):
    model: str | None = None
    tasks: str | None = None
    tables: tuple[str, ...] = ()
    table_schema: str | None = None
    out: str | None = None
    hardware: Hardware = Hardware()
    engine: Engine = Engine()
    collect: _Collect = _Collect()


class Needs(BaseModel):
    """What has to be there.

    Attributes:
        kind: of run, as the file's fields tell it.
        gpus: in all.
        nodes: with ``gpus_per_node`` GPUs each.
        gpus_per_node: see ``nodes``; 0 if it does not matter where the GPUs are.
        only_with_gpu_build: the GPUs are for engines, which on the CPU stack run without.
        reads: paths that must be there.
        writes: paths that must be writable.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    gpus: int = 0
    nodes: int = 1
    gpus_per_node: int = 0
    only_with_gpu_build: bool = True
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def read_needs(path: str) -> Needs:
    """The needs of the run that a file describes.

    Args:
        path: a YAML file of one of the jobs.

    Raises:
        InputError: it is missing, or no such file; names the field.
    """
    try:
        data = yaml.safe_load(storage.read_bytes(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise InputError(f"this is not YAML ({getattr(error, 'problem', error)})", file=path, line=line) from error
    if not isinstance(data, dict) or not isinstance(data.get("out"), str):
        raise InputError("expected the configuration of a job, as in jobs/configs, with an 'out'", file=path)
    try:
        if any(name in data for name in STAGES):
            return _together(data)
        return _of_stage(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(first["msg"], file=path, field=".".join(map(str, first["loc"]))) from error


def kind_of(data: dict[str, Any]) -> Kind:
    """Which job a file is for. A file of model, tasks and out alone may be any; a training run needs the most."""
    if "model" not in data:
        return "synthesis"
    playing = {"engine", "episode", "samples", "trials", "limit", "iteration", "resume", "run"}
    return "rollout or evaluation" if playing & set(data) else "training run"


def _of_stage(data: dict[str, Any], kind: Kind | None = None) -> Needs:
    kind = kind or kind_of(data)
    stage = _Stage.model_validate(data)
    paths: Iterable[str | None] = (stage.model, stage.tasks, stage.table_schema, *stage.tables)
    common: dict[str, Any] = {
        "kind": kind,
        "reads": tuple(each for each in paths if each),
        "writes": (stage.out,) if stage.out else (),
    }
    if kind == "rollout or evaluation":
        return Needs(gpus=stage.engine.engines * stage.engine.tensor_parallel, **common)
    if kind == "training run" and stage.hardware.device == "gpu":
        hardware = stage.hardware
        collecting = stage.collect.engines * hardware.tensor_parallel
        return Needs(
            gpus=max(hardware.nodes * hardware.gpus_per_node, collecting),
            nodes=hardware.nodes,
            gpus_per_node=hardware.gpus_per_node,
            only_with_gpu_build=False,
            **common,
        )
    return Needs(**common)


def _together(data: dict[str, Any]) -> Needs:
    """The stages come one after the other: each needs only what it needs itself."""
    kinds: dict[str, Kind] = {"synthesize": "synthesis", "held_out": "synthesis", "train": "training run"}
    parts = [_of_stage(data[name] or {}, kinds.get(name, "rollout or evaluation")) for name in STAGES if name in data]
    model = (str(data["model"]),) if "model" in data else ()
    most = max(parts, key=lambda part: part.gpus_per_node * part.nodes)
    return Needs(
        kind="pipeline",
        gpus=max(part.gpus for part in parts),
        nodes=most.nodes,
        gpus_per_node=most.gpus_per_node,
        only_with_gpu_build=all(part.only_with_gpu_build for part in parts),
        reads=tuple(dict.fromkeys((*model, *(path for part in parts for path in part.reads)))),
        writes=tuple(dict.fromkeys((data["out"], *(path for part in parts for path in part.writes)))),
    )
