"""What a run's configuration asks of a cluster.

Read are the files of ``jobs/``. Only what says something about machines and paths is looked at; whether the rest is
right is for the run itself to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ftrl.settings_files import Layers, read_layers

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


def read_needs(files: str | Sequence[str]) -> Needs:
    """The needs of the run that one or several files describe.

    Args:
        files: YAML files of one of the jobs, each laid over those before it; one may be given as it is.

    Raises:
        InputError: one is missing, or they are of no job; names the field.
    """
    layers = read_layers(files)
    if not isinstance(layers.data.get("out"), str):
        raise layers.error("expected the configuration of a job, as in jobs/configs, with an 'out'")
    if any(name in layers.data for name in STAGES):
        return _together(layers)
    return _of_stage(layers.into(_Stage), kind_of(layers.data))


def kind_of(data: dict[str, Any]) -> Kind:
    """Which job a file is for. A file of model, tasks and out alone may be any; a training run needs the most."""
    if "model" not in data:
        return "synthesis"
    playing = {"engine", "episode", "samples", "trials", "limit", "iteration", "resume", "run"}
    return "rollout or evaluation" if playing & set(data) else "training run"


def _of_stage(stage: _Stage, kind: Kind) -> Needs:
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


def _together(layers: Layers) -> Needs:
    """The stages come one after the other: each needs only what it needs itself."""
    data = layers.data
    kinds: dict[str, Kind] = {"synthesize": "synthesis", "held_out": "synthesis", "train": "training run"}
    asked = [name for name in STAGES if name in data]
    parts = [_of_stage(layers.into(_Stage, name), kinds.get(name, "rollout or evaluation")) for name in asked]
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
