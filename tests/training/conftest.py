"""Tasks, episodes and a model to train with, and a trainer that has a queue and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rollouts import Collection, EpisodeKey, EpisodeSettings, ScriptedPolicy, TrajectoryStore, run_episode
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.snapshot_rows import StreamSettings


@pytest.fixture(scope="package")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> EnvironmentStore:
    """Eight tasks, two of each scenario."""
    out = str(tmp_path_factory.mktemp("tasks") / "store")
    synthesize(SynthesisConfig(out=out, count=8))
    return EnvironmentStore.open(out)


@pytest.fixture(scope="package")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model."""
    from ftrl.models import init_tiny

    folder = tmp_path_factory.mktemp("model") / "tiny"
    init_tiny(folder)
    return folder


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StreamSettings:
    """Of a stream from twelve generated tasks, each played once by its golden turns."""
    from ftrl.models import init_tiny

    folder = tmp_path_factory.mktemp("stream")
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": 12}))
    init_tiny(folder / "model", context=2048)
    tasks = EnvironmentStore.open(str(folder / "tasks"))
    store = TrajectoryStore.create(str(folder / "trajectories"), run="test")
    episode = EpisodeSettings()
    with Sandbox(workers=1) as sandbox:
        played = [
            asyncio.run(
                run_episode(
                    environment,
                    tasks.sources(environment),
                    ScriptedPolicy(golden_turns(environment)),
                    sandbox,
                    episode,
                    EpisodeKey("test", iteration=1),
                )
            )
            for environment in tasks
        ]
    store.begin(Collection(iteration=1, policy=played[0].policy, settings=episode))
    for start in range(0, len(played), 4):  # three parts
        store.append(played[start : start + 4])
    return StreamSettings(
        trajectories=store.path,
        iteration=1,
        environments=tasks.path,
        model=str(folder / "model"),
        max_prompt_tokens=2000,
        thinking=False,
        seed=5,
    )


@pytest.fixture(scope="module")
def trainer(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Our trainer with verl's queue, without the processes that would sample and update; told the file's ``CONFIG``."""
    import transfer_queue as tq

    from ftrl.ray_session import LogicalResources, ray_session
    from ftrl.training.config import TrainConfig
    from ftrl.training.trainer import StreamTrainer
    from ftrl.training.verl_config import verl_config

    told = TrainConfig.model_validate(request.module.CONFIG)
    with ray_session(LogicalResources(cpus=4)):
        config = verl_config(told, model="m", environments="t", checkpoints="c", name="n")
        tq.init(config.transfer_queue)
        nothing: Any = None
        trainer = StreamTrainer(config, stream=nothing, order=nothing, steps=nothing, log=nothing, place="test-")
        trainer.global_steps = 1
        trainer.tokenizer = SimpleNamespace(eos_token_id=0)
        trainer.actor_rollout_wg = SimpleNamespace(_dispatch_info={"actor": [0]})
        yield trainer
        tq.close()
