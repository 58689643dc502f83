"""Tasks and a model to train with, and a trainer that has a queue and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.synthesis import SynthesisConfig, synthesize


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
        trainer = StreamTrainer(config, stream=nothing, order=nothing, total_steps=1, log=nothing, place="test-")
        trainer.global_steps = 1
        trainer.tokenizer = SimpleNamespace(eos_token_id=0)
        trainer.actor_rollout_wg = SimpleNamespace(_dispatch_info={"actor": [0]})
        yield trainer
        tq.close()
