"""A model folder is opened by its headers; what is broken in it is told with file and tensor."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ftrl.analysis.weights import ModelFolder
from ftrl.errors import InputError


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "copy"))


def test_a_folder_has_the_tensors_of_all_its_files(base: Path, load: Any, save: Any) -> None:
    weights = load(base)
    for folder in (base, save("sharded", weights, shards=3)):
        model = ModelFolder.open(folder)
        assert {name: tensor.shape for name, tensor in model.tensors.items()} == {
            name: tuple(tensor.shape) for name, tensor in weights.items()
        }
        assert model.parameters == sum(tensor.numel() for tensor in weights.values())
        assert model.dtype == "F32"
        assert model.tied


def test_a_tensor_comes_in_pieces_that_make_the_whole(base: Path, load: Any) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    tensor = ModelFolder.open(base).tensors[name]
    pieces = list(tensor.pieces(1000))
    assert {len(piece) for piece in pieces[:-1]} == {1000}
    assert np.concatenate(pieces).tolist() == load(base)[name].flatten().tolist()


def test_an_empty_tensor_and_a_single_number_can_be_read(base: Path, load: Any, save: Any) -> None:
    odd = {"empty": torch.zeros(0, 4), "single": torch.tensor(3.0)}
    tensors = ModelFolder.open(save("odd", {**load(base), **odd})).tensors
    assert list(tensors["empty"].pieces()) == []
    assert [piece.tolist() for piece in tensors["single"].pieces()] == [[3.0]]


def index_a_stranger(folder: Path) -> None:
    weights = {"weight_map": {"stranger": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(weights))


def rewrite_header(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def quantize(folder: Path) -> None:
    rewrite_header(folder, lambda header: header["model.norm.weight"].update(dtype="F8_E4M3"))


def lie_about_a_shape(folder: Path) -> None:
    rewrite_header(folder, lambda header: header["model.norm.weight"].update(shape=[63]))


def cut_off(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate((folder / "model.safetensors").stat().st_size - 1000)


def make_a_checkpoint(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "actor").mkdir(parents=True)


def make_an_adapter(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text("{}")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "copy: there is no model folder here"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "copy: this folder holds no model"),
    "a checkpoint": (make_a_checkpoint, "run 'ftrl model merge"),
    "an adapter": (make_an_adapter, "merge it into its model"),
    "broken configuration": (lambda folder: (folder / "config.json").write_text("{"), "config.json: is not valid JSON"),
    "foreign configuration": (
        lambda folder: (folder / "config.json").write_text("{}"),
        "config.json: field 'model_type': this is not",
    ),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "copy: this model folder has no weights"),
    "weights cut off": (cut_off, "model.safetensors: these weights are cut off within tensor model."),
    "empty weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cut off"),
    "not weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"\3" + bytes(7) + b"abc"),
        "model.safetensors: is not a safetensors file",
    ),
    "a part missing": (
        lambda folder: (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})
        ),
        "copy: model-00001-of-00002.safetensors is missing, which model.safetensors.index.json names",
    ),
    "index of others": (index_a_stranger, "model.safetensors: has no tensor stranger"),
    "weights twice": (
        lambda folder: shutil.copy(folder / "model.safetensors", folder / "other.safetensors"),
        "other.safetensors: holds tensor model.",
    ),
    "quantized": (quantize, "model.safetensors: tensor model.norm.weight is of type F8_E4M3"),
    "shape and size": (lie_about_a_shape, "tensor model.norm.weight has not the size of its shape"),
}


@pytest.mark.parametrize("breakage", BROKEN)
def test_a_broken_model_is_refused_with_file_and_tensor(copy: Path, breakage: str) -> None:
    break_it, sentence = BROKEN[breakage]
    break_it(copy)
    with pytest.raises(InputError, match=re.escape(sentence)) as refused:
        ModelFolder.open(copy)
    assert str(copy) in str(refused.value)


def test_a_file_is_no_model_folder(base: Path) -> None:
    with pytest.raises(InputError, match="this is a file"):
        ModelFolder.open(base / "config.json")


def test_a_file_that_shrinks_while_it_is_read_is_noticed(copy: Path) -> None:
    tensors = ModelFolder.open(copy).tensors
    cut_off(copy)
    last = max(tensors.values(), key=lambda tensor: tensor.offset)
    with pytest.raises(InputError, match=re.escape(f"ends within tensor {last.name}")):
        list(last.pieces())
