from __future__ import annotations

from pathlib import Path

import pytest

from ftrl.models import init_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder; whoever changes it copies it first."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    init_tiny(folder, context=512)
    return folder
