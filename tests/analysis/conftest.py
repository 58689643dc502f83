from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ftrl.models import init_tiny

Tensors: TypeAlias = dict[str, Any]
Save: TypeAlias = Callable[..., Path]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of four layers; whoever changes it copies it first."""
    folder = tmp_path_factory.mktemp("models") / "base"
    init_tiny(folder, layers=4, vocab=512, context=512)
    return folder


@pytest.fixture(scope="session")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with every weight moved, as training might have moved it."""
    import torch

    weights = load_weights(base)
    generator = torch.Generator().manual_seed(1)
    for tensor in weights.values():
        tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.05)
    return save_like(base, tmp_path_factory.mktemp("models") / "tuned", weights)


def load_weights(folder: Path) -> Tensors:
    from safetensors.torch import load_file

    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def save_like(model: Path, folder: Path, weights: Tensors, *, shards: int = 1, **config: Any) -> Path:
    """A copy of ``model`` with these weights, in so many files, and these entries in its configuration."""
    from safetensors.torch import save_file

    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **config}))
    if shards == 1:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    names = [f"model-{number + 1:05d}-of-{shards:05d}.safetensors" for number in range(shards)]
    weight_map = {tensor: names[number % shards] for number, tensor in enumerate(weights)}
    for name in names:
        part = {tensor: weights[tensor] for tensor in weights if weight_map[tensor] == name}
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def save(base: Path, tmp_path: Path) -> Save:
    """Saves weights as a model folder beside the base's configuration and tokenizer."""

    def saved(name: str, weights: Tensors, **settings: Any) -> Path:
        return save_like(base, tmp_path / name, weights, **settings)

    return saved


@pytest.fixture
def load() -> Callable[[Path], Tensors]:
    """Reads all weights of a model folder, as PyTorch does."""
    return load_weights
