"""Is this folder a model that an engine can load, and which weights are in it?

Only names, JSON and the headers of the weight files are read, so the check takes milliseconds, where an
engine takes half a minute to fail.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrl import storage
from ftrl.errors import InputError

_MAKE_ONE = "make one with 'ftrl model init-tiny DIR', or fetch one with 'ftrl model fetch smollm2 DIR'"
_INDEX = "model.safetensors.index.json"
_TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ModelSummary:
    """What stands in a model folder."""

    architecture: str
    parameters: int
    vocab_size: int
    context: int
    """Longest sequence, in tokens."""
    dtype: str
    """Type of the weights as the files name it: ``F32``, ``BF16``, …; several are joined by ``+``."""
    weights_hash: str


def check_model_folder(path: str | os.PathLike[str], *, tokens: int = 0) -> None:
    """Make sure that ``path`` holds a configuration, a tokenizer and whole weights.

    Args:
        path: the folder.
        tokens: the longest sequence that the model has to read.

    Raises:
        InputError: what is missing or broken, and what to do about it; or the model's context is too short.
    """
    folder = _local(path)
    config = _read_config(folder)
    context = config.get("max_position_embeddings")
    if isinstance(context, int) and not config.get("rope_scaling") and tokens > context:
        raise InputError(
            f"this model reads sequences of {context} tokens at most, {tokens} are asked for; lower the limits on "
            "prompts and responses, or take another model",
            file=str(folder / "config.json"),
            field="max_position_embeddings",
        )
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        raise InputError("this model folder has no tokenizer (tokenizer.json); copy its files here", file=str(folder))
    for file in _weight_files(folder):
        _read_header(file)


def weights_hash(path: str | os.PathLike[str]) -> str:
    """The identity of a policy: sha256 (hex) over its safetensors files.

    The files are read one after the other in the order of their names, as ``cat *.safetensors | sha256sum``
    does. Remembered within the process while size and time of the files stay the same.

    Raises:
        InputError: there is no such folder, or no weights in it.
    """
    files = _weight_files(_local(path))
    states = tuple((str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    if states not in _hashes:
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
        _hashes[states] = digest.hexdigest()
    return _hashes[states]


_hashes: dict[tuple[tuple[str, int, int], ...], str] = {}


def summarize_model_folder(path: str | os.PathLike[str]) -> ModelSummary:
    """Check the folder and tell what is in it.

    Raises:
        InputError: as ``check_model_folder``.
    """
    check_model_folder(path)
    folder = _local(path)
    config = _read_config(folder)
    tensors = [tensor for file in _weight_files(folder) for tensor in _read_header(file).values()]
    return ModelSummary(
        architecture=", ".join(config.get("architectures") or [str(config["model_type"])]),
        parameters=sum(math.prod(tensor["shape"]) for tensor in tensors),
        vocab_size=int(config.get("vocab_size", 0)),
        context=int(config.get("max_position_embeddings", 0)),
        dtype="+".join(sorted({tensor["dtype"] for tensor in tensors})),
        weights_hash=weights_hash(folder),
    )


def _local(path: str | os.PathLike[str]) -> Path:
    if not storage.is_local(path):
        raise InputError("engines load models from this machine only; copy the folder here first", file=os.fspath(path))
    folder = Path(storage.filesystem(path)[1])
    if not folder.exists():
        raise InputError(f"there is no model folder here; {_MAKE_ONE}", file=str(folder))
    if not folder.is_dir():
        raise InputError("this is a file; give the folder of the model", file=str(folder))
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError("this folder cannot be read; check its permissions", file=str(folder))
    return folder


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.exists():
        hint = _MAKE_ONE
        if any(folder.glob("**/model_world_size_*_rank_0.pt")) or any(folder.glob("global_step_*")):
            hint = f"is it a checkpoint of training? Then run 'ftrl model merge {folder} --out DIR' and use DIR"
        raise InputError(f"this folder holds no model (no config.json); {hint}", file=str(folder))
    config = _read_json(file)
    if not config.get("model_type"):
        raise InputError("this is not the configuration of a model", file=str(file), field="model_type")
    return config


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except ValueError as error:
        raise InputError(f"is not valid JSON ({error}); copy the model again", file=str(file)) from error
    if not isinstance(value, dict):
        raise InputError("must hold a JSON object; copy the model again", file=str(file))
    return value


def _weight_files(folder: Path) -> list[Path]:
    index = folder / _INDEX
    if index.exists():
        named = _read_json(index).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise InputError("names no weights; copy the model again", file=str(index), field="weight_map")
        files = [folder / str(name) for name in sorted({str(name) for name in named.values()})]
        for file in files:
            if not file.is_file():
                raise InputError(
                    f"{file.name} is missing, which the index names; copy the model again", file=str(folder)
                )
        return files
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        hint = "save it again as safetensors" if any(folder.glob("*.bin")) else "copy them here"
        raise InputError(f"this model folder has no weights (*.safetensors); {hint}", file=str(folder))
    return files


def _read_header(file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file by name: dtype, shape and where they lie; none is cut off."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            size = file.stat().st_size
            if not 0 < length <= size - 8:
                raise InputError("these weights are cut off; copy the file again", file=str(file))
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("is not a safetensors file; copy the model again", file=str(file)) from error
    if end > size:
        raise InputError("these weights are cut off; copy the file again", file=str(file))
    return dict(header)
