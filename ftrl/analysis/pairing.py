"""Do two model folders hold the same model, trained further? Then their tensors are paired by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.analysis.places import EMBEDDINGS, OUTPUT
from ftrl.analysis.weights import ModelFolder, StoredTensor
from ftrl.errors import InputError

NAMED = 3
"""Tensors that an error names."""

_SAYS_NOTHING = ("transformers_version", "_name_or_path", "name_or_path", "dtype", "torch_dtype", "use_cache")
"""Entries of JSON files that two copies of one model differ in."""


@dataclass(frozen=True)
class Pair:
    """A tensor before and after."""

    name: str
    base: StoredTensor
    tuned: StoredTensor


def pairs(base: ModelFolder, tuned: ModelFolder) -> list[Pair]:
    """Every tensor of both, in the base's order.

    Where one model ties its output layer to its embeddings and stores it not, and the other stores it, the embeddings
    stand for it.

    Raises:
        InputError: the models are of different architectures, a tensor is missing on one side, or has another shape.
    """
    for key in ("model_type", "num_hidden_layers", "hidden_size"):
        first, second = base.config.get(key), tuned.config.get(key)
        if first != second:
            raise InputError(
                f"this is {second!r}, but {first!r} in {storage.join(base.path, 'config.json')}: these are two "
                "different models, not one before and after training",
                file=storage.join(tuned.path, "config.json"),
                field=key,
            )
    before, after = dict(base.tensors), dict(tuned.tensors)
    for model, own, others in ((base, before, after), (tuned, after, before)):
        if model.tied and OUTPUT in others and OUTPUT not in own and EMBEDDINGS in own:
            own[OUTPUT] = own[EMBEDDINGS]
    _refuse(tuned, [name for name in before if name not in after], lambda name: f"{name} of {before[name].file}")
    _refuse(base, [name for name in after if name not in before], lambda name: f"{name} of {after[name].file}")
    for name, tensor in before.items():
        if after[name].shape != tensor.shape:
            raise InputError(
                f"tensor {name} has the shape {list(after[name].shape)}, but {list(tensor.shape)} in {tensor.file}; "
                "only models of the same shape can be compared",
                file=after[name].file,
            )
        floating = [dtype in {"F64", "F32", "F16", "BF16"} for dtype in (tensor.dtype, after[name].dtype)]
        if tensor.dtype != after[name].dtype and not all(floating):
            raise InputError(
                f"tensor {name} is of type {after[name].dtype}, but {tensor.dtype} in {tensor.file}",
                file=after[name].file,
            )
    return [Pair(name, tensor, after[name]) for name, tensor in before.items()]


def _refuse(model: ModelFolder, missing: list[str], describe: Callable[[str], str]) -> None:
    if not missing:
        return
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    raise InputError(
        f"has no tensor {', '.join(map(describe, missing[:NAMED]))}{more}; are these one model before and after "
        "training?",
        file=model.path,
    )


def notes(base: ModelFolder, tuned: ModelFolder) -> list[str]:
    """In what else two models differ, as sentences: the types of their weights, and files beside the weights."""
    found = []
    if base.dtype != tuned.dtype:
        found.append(f"the weights are stored as {base.dtype} in BASE and as {tuned.dtype} in TUNED")
    differing = [
        name
        for name in sorted(set(base.files) & set(tuned.files))
        if name.endswith((".json", ".jinja", ".txt", ".model"))
        and not name.endswith(".index.json")
        and _content(base, name) != _content(tuned, name)
    ]
    if differing:
        found.append(f"not only the weights differ, but also {', '.join(differing)}")
    return found


def tie(base: ModelFolder, tuned: ModelFolder) -> list[str]:
    """What the figures of embeddings and output layer mean, where one stands for both."""
    if base.tied != tuned.tied:
        one, other = ("BASE", "TUNED") if base.tied else ("TUNED", "BASE")
        return [f"the output layer is tied to the embeddings in {one}, and a layer of its own in {other}"]
    return ["the output layer is tied to the embeddings: what changed in them changed in it"] if base.tied else []


def _content(model: ModelFolder, name: str) -> Any:
    data = storage.read_bytes(storage.join(model.path, name))
    if not name.endswith(".json"):
        return data
    try:
        value = json.loads(data)
    except ValueError:
        return data  # compared as it is: the tokenizer's files are no concern of ours
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key not in _SAYS_NOTHING}
    return value
