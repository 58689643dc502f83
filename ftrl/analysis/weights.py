"""The weights of a model folder, local or on S3, read piece by piece.

Only names, JSON and the headers of the safetensors files are read when a folder is opened. A tensor's numbers come
in pieces of a fixed size, so that memory does not depend on the size of the model or of its largest tensor.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ftrl import storage
from ftrl.analysis import dtypes
from ftrl.analysis.dtypes import Raw
from ftrl.errors import InputError

INDEX = "model.safetensors.index.json"

PIECE = 1 << 22
"""Numbers that are read at a time: 8 MiB of bfloat16."""

_LONGEST_HEADER = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies.

    Attributes:
        name: its name in the model.
        dtype: type of its numbers as safetensors names it: ``F32``, ``BF16``, …
        shape: its sides; empty for a single number.
        file: the path of its file.
        offset: its first byte in that file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def pieces(self, size: int = PIECE) -> Iterator[Raw]:
        """Its numbers in their stored type, ``size`` at a time.

        Raises:
            InputError: its file has become shorter since it was opened.
        """
        if not self.elements:
            return
        width = dtypes.itemsize(self.dtype)
        fs, inner = storage.filesystem(self.file)
        with fs.open(inner, "rb", **({} if storage.is_local(self.file) else {"cache_type": "none"})) as file:
            file.seek(self.offset)
            for start in range(0, self.elements, size):
                wanted = min(size, self.elements - start) * width
                data = file.read(wanted)
                if len(data) != wanted:
                    raise InputError(f"ends within tensor {self.name}; copy the file again", file=self.file)
                yield dtypes.raw(self.dtype, data)


@dataclass(frozen=True)
class ModelFolder:
    """A model folder: its configuration, and where its tensors lie.

    Attributes:
        path: as it was given.
        config: what ``config.json`` holds.
        tensors: name → tensor, in the order of the files and of the tensors in them.
        files: names of all files directly in the folder.
    """

    path: str
    config: dict[str, Any]
    tensors: dict[str, StoredTensor] = field(repr=False)
    files: tuple[str, ...]

    @staticmethod
    def open(path: str | os.PathLike[str]) -> ModelFolder:
        """Read the configuration and the headers.

        Raises:
            InputError: there is no model here, or a file of it is missing or broken; the message names it.
        """
        folder = os.fspath(path).rstrip("/") or "/"
        fs, inner = storage.filesystem(folder)
        if not fs.exists(inner):
            raise InputError("there is no model folder here", file=folder)
        if fs.isfile(inner):
            raise InputError("this is a file; give the folder of the model", file=folder)
        listed = fs.ls(inner, detail=True)
        files = sorted(entry["name"].rsplit("/", 1)[-1] for entry in listed if entry["type"] == "file")
        folders = [entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in listed if entry["type"] == "directory"]
        if "config.json" not in files:
            raise InputError(f"this folder holds no model (no config.json){_hint(folder, files, folders)}", file=folder)
        config = _json(storage.join(folder, "config.json"))
        if not config.get("model_type"):
            raise InputError(
                "this is not the configuration of a model",
                file=storage.join(folder, "config.json"),
                field="model_type",
            )
        tensors: dict[str, StoredTensor] = {}
        for name in _weight_files(folder, files):
            for tensor in _header(storage.join(folder, name)):
                if tensor.name in tensors:
                    raise InputError(
                        f"holds tensor {tensor.name}, and so does {tensors[tensor.name].file}; keep the files of "
                        "one model only",
                        file=tensor.file,
                    )
                tensors[tensor.name] = tensor
        if INDEX in files:
            _check_index(folder, tensors)
        return ModelFolder(folder, config, tensors, tuple(files))

    @property
    def tied(self) -> bool:
        """Whether the output layer is the embeddings over again (``tie_word_embeddings``)."""
        return bool(self.config.get("tie_word_embeddings", False))

    @property
    def dtype(self) -> str:
        """Types of the weights; several are joined by ``+``."""
        return "+".join(sorted({tensor.dtype for tensor in self.tensors.values()}))

    @property
    def parameters(self) -> int:
        """How many numbers the files hold."""
        return sum(tensor.elements for tensor in self.tensors.values())


def _hint(folder: str, files: list[str], folders: list[str]) -> str:
    if any(name.startswith("model_world_size_") for name in files) or any(
        name == "actor" or name.startswith("global_step_") for name in folders
    ):
        return f"; it is a checkpoint of training: run 'ftrl model merge {folder} --out DIR' and give DIR"
    if "adapter_config.json" in files:
        return "; it is an adapter: merge it into its model, and give the folder of the merged one"
    return ""


def _json(path: str) -> dict[str, Any]:
    try:
        value = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise InputError(f"is not valid JSON ({error}); copy the model again", file=path) from error
    if not isinstance(value, dict):
        raise InputError("must hold a JSON object; copy the model again", file=path)
    return value


def _weight_files(folder: str, files: list[str]) -> list[str]:
    if INDEX not in files:
        found = [name for name in files if name.endswith(".safetensors")]
        if not found:
            hint = "save it again as safetensors" if any(name.endswith(".bin") for name in files) else "copy them here"
            raise InputError(f"this model folder has no weights (*.safetensors); {hint}", file=folder)
        return found
    named = _weight_map(folder)
    for name in sorted(set(named.values())):
        if name not in files:
            raise InputError(f"{name} is missing, which {INDEX} names; copy the model again", file=folder)
    return sorted(set(named.values()))


def _weight_map(folder: str) -> dict[str, str]:
    index = storage.join(folder, INDEX)
    named = _json(index).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        raise InputError("names no weights; copy the model again", file=index, field="weight_map")
    return named


def _check_index(folder: str, tensors: dict[str, StoredTensor]) -> None:
    for tensor, file in _weight_map(folder).items():
        if tensor not in tensors or not tensors[tensor].file.endswith(f"/{file}"):
            raise InputError(f"has no tensor {tensor}, which {INDEX} says it has", file=storage.join(folder, file))


def _header(path: str) -> list[StoredTensor]:
    """The tensors of a safetensors file in the order of their bytes; all are whole and of a known type."""
    fs, inner = storage.filesystem(path)
    size = int(fs.size(inner))
    with fs.open(inner, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= size - 8:
            raise InputError("these weights are cut off; copy the file again", file=path)
        text = file.read(min(length, _LONGEST_HEADER))
    try:
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        tensors = [
            (
                StoredTensor(
                    name=name,
                    dtype=str(entry["dtype"]),
                    shape=tuple(int(side) for side in entry["shape"]),
                    file=path,
                    offset=8 + length + int(entry["data_offsets"][0]),
                ),
                8 + length + int(entry["data_offsets"][1]),
            )
            for name, entry in entries.items()
        ]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError("is not a safetensors file; copy the model again", file=path) from error
    for tensor, end in tensors:
        if end > size:
            raise InputError(f"these weights are cut off within tensor {tensor.name}; copy the file again", file=path)
        if not dtypes.is_known(tensor.dtype):
            raise InputError(
                f"tensor {tensor.name} is of type {tensor.dtype}; quantized weights are not compared, give the model "
                "before it was quantized",
                file=path,
            )
        if end - tensor.offset != tensor.elements * dtypes.itemsize(tensor.dtype):
            raise InputError(f"tensor {tensor.name} has not the size of its shape; copy the model again", file=path)
    return sorted((tensor for tensor, _ in tensors), key=lambda tensor: tensor.offset)
