"""A model with some of another one's weights: did the gain of training come from these?"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ftrl import storage
from ftrl.analysis import dtypes
from ftrl.analysis.diff import Watch
from ftrl.analysis.pairing import notes, pairs
from ftrl.analysis.places import EMBEDDINGS, OUTPUT, place_of
from ftrl.analysis.selection import select
from ftrl.analysis.weights import INDEX, ModelFolder, StoredTensor
from ftrl.errors import InputError

SHARD_BYTES = 5_000_000_000
"""The largest weight file, but for a tensor that is larger itself."""

PROVENANCE = "graft.json"

_WEIGHTS = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".h5")


class Graft(BaseModel):
    """What ``graft.json`` holds: where the weights of a model come from.

    Attributes:
        base: path of the model that gave the rest: configuration, tokenizer and all other weights.
        tuned: path of the model that gave the chosen weights.
        layers: as they were asked for.
        modules: as they were asked for.
        grafted: names of the tensors that come from ``tuned``.
        grafted_layers: the layers that these lie in.
        different: how many of these differ from the base's at all.
        grafted_elements: how many numbers they have.
        elements: how many numbers the model has.
        dtypes: types of the weights.
        weights_hash: sha256 over the weight files, one after the other: the policy that evaluations of it name.
        notes: what to know besides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    tuned: str
    layers: str
    modules: str
    grafted: tuple[str, ...]
    grafted_layers: tuple[int, ...]
    different: int
    grafted_elements: int
    elements: int
    dtypes: tuple[str, ...]
    weights_hash: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """A tensor to write: where it is taken from, the type it is written in, and what it is compared to."""

    name: str
    source: StoredTensor
    dtype: str
    other: StoredTensor | None

    @property
    def bytes(self) -> int:
        return self.source.elements * dtypes.itemsize(self.dtype)


def graft_model(
    base: str | os.PathLike[str],
    tuned: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    layers: str = "all",
    modules: str = "all",
    shard_bytes: int = SHARD_BYTES,
    watch: Watch = lambda done, of: None,
) -> Graft:
    """Make a model folder that is ``base`` but for the chosen weights, which are ``tuned``'s.

    Nothing is rounded: where types differ, a tensor is written in the smallest type that holds both. The weights go
    through in pieces, so that memory stays the same for every size of model.

    Args:
        base: the model before training: a folder with ``config.json`` and safetensors, local or ``s3://``.
        tuned: the model after.
        out: the folder to make; it must not hold anything yet.
        layers: ``all``, or a list such as ``0-3,7`` or ``lowest:25%`` (see ``ftrl.analysis.selection.select``).
        modules: a list such as ``mlp,attention.q``, or ``all``.
        shard_bytes: the largest weight file; a tensor that is larger gets a file of its own.
        watch: is told how it goes on.

    Raises:
        InputError: the folders are not one model before and after training, the choice is not possible, or there is
            something at ``out`` already.
    """
    before, after = ModelFolder.open(base), ModelFolder.open(tuned)
    matched = {pair.name: pair for pair in pairs(before, after) if pair.name in before.tensors}
    named = {item.strip() for item in modules.split(",")}
    if before.tied and after.tied and named & {"lm_head", OUTPUT} and not named & {"embeddings", EMBEDDINGS, "all"}:
        raise InputError(
            "the output layer of these models is tied to the embeddings; choose embeddings, which bring it along",
            field="--modules",
        )
    selection = select(list(matched), layers=layers, modules=modules)
    chosen = _with_tied(before, after, selection.names)
    parts = []
    for name, pair in matched.items():
        taken, other = (pair.tuned, pair.base) if name in chosen else (pair.base, pair.tuned)
        dtype = dtypes.widest(pair.base.dtype, pair.tuned.dtype)
        parts.append(_Part(name, taken, dtype, other if name in chosen else None))
    with storage.building(out) as folder:
        _copy_the_rest(before, folder, {part.dtype for part in parts})
        different, weights_hash = _write_weights(folder, _shards(parts, shard_bytes), watch)
        grafted = [part for part in parts if part.other is not None]
        graft = Graft(
            base=before.path,
            tuned=after.path,
            layers=layers,
            modules=modules,
            grafted=tuple(part.name for part in grafted),
            grafted_layers=tuple(
                sorted({layer for part in grafted if (layer := place_of(part.name).layer) is not None})
            ),
            different=different,
            grafted_elements=sum(part.source.elements for part in grafted),
            elements=sum(part.source.elements for part in parts),
            dtypes=tuple(sorted({part.dtype for part in parts})),
            weights_hash=weights_hash,
            notes=tuple(_notes(before, after, different)),
        )
        (folder / PROVENANCE).write_text(graft.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return graft


def _with_tied(base: ModelFolder, tuned: ModelFolder, names: Sequence[str]) -> set[str]:
    """The chosen tensors, the output layer along with the embeddings that it is tied to."""
    chosen = set(names)
    ends = chosen & {EMBEDDINGS, OUTPUT}
    if ends and base.tied != tuned.tied:
        where = ("BASE", "TUNED") if base.tied else ("TUNED", "BASE")
        raise InputError(
            f"{where[0]} ties its output layer to its embeddings and {where[1]} does not, so that neither can be "
            "taken over; choose layers or modules without embeddings and lm_head",
            field="--modules",
        )
    return chosen | ({OUTPUT} & base.tensors.keys() if base.tied and ends else set())


def _notes(base: ModelFolder, tuned: ModelFolder, different: int) -> Iterator[str]:
    if not different:
        yield "the chosen weights are the same in both models: this is BASE over again"
    yield from notes(base, tuned)


def _copy_the_rest(base: ModelFolder, folder: Path, written: set[str]) -> None:
    """Configuration, tokenizer and whatever else lies directly in the folder, but no weights."""
    for name in base.files:
        if name.startswith(".") or name == PROVENANCE or name.endswith(_WEIGHTS):
            continue
        data = storage.read_bytes(storage.join(base.path, name))
        if name == "config.json" and (dtype := _dtype_of_all(written)) is not None:
            config = json.loads(data)
            stored = config.get("dtype", config.get("torch_dtype"))
            if stored != dtype:  # engines convert to the type named here, which would round what is kept in full
                config.pop("torch_dtype", None)
                data = (json.dumps({**config, "dtype": dtype}, indent=2) + "\n").encode()
        (folder / name).write_bytes(data)


def _dtype_of_all(written: set[str]) -> str | None:
    floating = [dtype for dtype in written if dtype in dtypes.CONFIG_NAMES]
    if not floating:
        return None
    widest = floating[0]
    for dtype in floating:
        widest = dtypes.widest(widest, dtype)
    return dtypes.CONFIG_NAMES[widest]


def _shards(parts: Sequence[_Part], most: int) -> list[list[_Part]]:
    """The parts, in their order, cut into files of at most ``most`` bytes."""
    shards: list[list[_Part]] = [[]]
    size = 0
    for part in parts:
        if shards[-1] and size + part.bytes > most:
            shards.append([])
            size = 0
        shards[-1].append(part)
        size += part.bytes
    return shards


def _write_weights(folder: Path, shards: Sequence[Sequence[_Part]], watch: Watch) -> tuple[int, str]:
    """Write the files and their index; how many grafted tensors differ from the base's, and the hash of all files."""
    total = sum(part.source.elements for shard in shards for part in shard)
    done = different = 0
    digest = hashlib.sha256()
    weight_map: dict[str, str] = {}
    watch(0, total)
    for number, shard in enumerate(shards, start=1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        with (folder / name).open("wb") as file:
            for data in _header(shard):
                digest.update(data)
                file.write(data)
            for part in shard:
                differs = False
                for piece, is_other in _pieces(part):
                    differs |= is_other
                    digest.update(piece)
                    file.write(piece)
                different += differs
                done += part.source.elements
                watch(done, total)
                weight_map[part.name] = name
    if len(shards) > 1:
        size = sum(part.bytes for shard in shards for part in shard)
        index = {"metadata": {"total_size": size}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return different, digest.hexdigest()


def _header(shard: Sequence[_Part]) -> Iterator[bytes]:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for part in shard:
        entries[part.name] = {
            "dtype": part.dtype,
            "shape": list(part.source.shape),
            "data_offsets": [offset, offset + part.bytes],
        }
        offset += part.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers start at a multiple of eight
    yield len(text).to_bytes(8, "little")
    yield text


def _pieces(part: _Part) -> Iterator[tuple[bytes, bool]]:
    """A tensor's bytes piece by piece in the type it is written in, and whether the other model's piece differs."""
    others = part.other.pieces() if part.other is not None else None
    for numbers in part.source.pieces():
        data = dtypes.cast(numbers, part.source.dtype, part.dtype).tobytes()
        differs = False
        if others is not None and part.other is not None:
            differs = data != dtypes.cast(next(others), part.other.dtype, part.dtype).tobytes()
        yield data, differs
