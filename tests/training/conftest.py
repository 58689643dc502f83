"""Tasks and a model to train with."""

from __future__ import annotations

from pathlib import Path

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
