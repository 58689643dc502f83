"""Ray job: all of it from one file - make tasks, let the model play them, train it, measure what came of it.

ray job submit --working-dir . -- python jobs/pipeline.py --config jobs/configs/pipeline.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from evaluate import AnySuite, evaluate
from job import run
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator
from rollout import rollout
from synthesize import synthesize
from train import train

from ftrl import storage
from ftrl.evaluation.ftrl_test import SUITE
from ftrl.rollouts import CollectConfig
from ftrl.synthesis import SynthesisConfig
from ftrl.training import TrainConfig
from ftrl.training.run_folder import RunFolder


class PipelineConfig(BaseModel):
    """One part for each stage, which holds what the stage's own file would; a part that is left out is not run.

    What one stage hands to the next need not be said: model, tasks and folders below ``out`` are filled in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str = Field(description="Folder, local or s3://, in which every stage has one of its own.")
    model: str = Field(description="Folder of the model to start from.")
    synthesize: SynthesisConfig | None = Field(default=None, description="Tasks to train on.")
    held_out: SynthesisConfig | None = Field(default=None, description="Tasks to evaluate on, in another world.")
    rollout: CollectConfig | None = Field(default=None, description="What the model does before it is trained.")
    train: TrainConfig | None = Field(default=None, description="The training run.")
    evaluate: AnySuite | None = Field(
        default=None, description="The newest policy on the held-out tasks, or on another benchmark."
    )

    @model_validator(mode="before")
    @classmethod
    def _hand_on(cls, data: Any) -> Any:
        """Fill in what follows from the stages before."""
        if not isinstance(data, dict) or not isinstance(data.get("out"), str):
            return data
        out, data = data["out"], dict(data)
        model = {"model": data["model"]} if "model" in data else {}
        tasks = {"tasks": storage.join(out, "tasks")} if "synthesize" in data else {}
        ours = not isinstance(data.get("evaluate"), dict) or data["evaluate"].get("suite", SUITE) == SUITE
        held_out = {"tasks": storage.join(out, "held-out")} if "held_out" in data and ours else {}
        follows: dict[str, dict[str, Any]] = {
            "synthesize": {"out": storage.join(out, "tasks")},
            "held_out": {"out": storage.join(out, "held-out"), "split": "test"},
            "rollout": {"out": storage.join(out, "rollouts"), **model, **tasks},
            "train": {"out": storage.join(out, "train"), **model, **tasks},
            "evaluate": {"out": storage.join(out, "evaluation"), **model, **held_out, **_newest_policy(out, data)},
        }
        for name, values in follows.items():
            if name in data and (data[name] is None or isinstance(data[name], dict)):
                data[name] = {**values, **(data[name] or {})}
        return data

    @model_validator(mode="after")
    def _is_possible(self) -> PipelineConfig:
        if not any((self.synthesize, self.held_out, self.rollout, self.train, self.evaluate)):
            raise ValueError("no stage is asked for; give synthesize, held_out, rollout, train or evaluate a part")
        if self.train is not None and not storage.is_local(self.train.out):
            raise ValueError(
                f"training keeps its checkpoints in a folder, not in {self.train.out}; give train.out a path on a "
                "disk that all nodes share"
            )
        return self


class PipelineReport(BaseModel):
    """The reports of the stages, in their order."""

    out: str
    stages: dict[str, SerializeAsAny[BaseModel]]


def pipeline(config: PipelineConfig) -> PipelineReport:
    """Run, or finish, the stages one after the other; each does only what is missing."""
    stages: list[tuple[str, Any, Callable[[Any], BaseModel]]] = [
        ("synthesize", config.synthesize, synthesize),
        ("held_out", config.held_out, synthesize),
        ("rollout", config.rollout, rollout),
        ("train", config.train, train),
        ("evaluate", config.evaluate, evaluate),
    ]
    reports = {}
    for name, part, work in stages:
        if part is not None:
            print(f"pipeline: {name}", file=sys.stderr, flush=True)
            reports[name] = work(part)
    return PipelineReport(out=config.out, stages=reports)


def _newest_policy(out: str, data: dict[str, Any]) -> dict[str, str]:
    """The model that training leaves behind, where something is trained."""
    run_of = data["train"] or {} if "train" in data else None
    if not isinstance(run_of, dict):
        return {}
    folder = run_of.get("out", storage.join(out, "train"))
    iterations = run_of.get("iterations", TrainConfig.model_fields["iterations"].default)
    if not isinstance(folder, str) or not isinstance(iterations, int) or not storage.is_local(folder):
        return {}  # what is wrong with them is told when the part itself is read
    return {"model": str(RunFolder(folder).policy(iterations))}


if __name__ == "__main__":
    run(PipelineConfig, pipeline)
