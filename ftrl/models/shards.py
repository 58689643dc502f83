"""The weights in a checkpoint that verl's FSDP engine saved: one file a rank, tensors cut among the ranks.

verl has a merger of its own, which casts everything to bf16 on the way; a policy trained in fp32 would come
out as another policy than the one that was trained. This one keeps every bit.
"""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrl.errors import InputError

if TYPE_CHECKING:
    import torch

# What torch raises for bytes that are no checkpoint depends on where they go wrong.
_BROKEN = (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, LookupError, TypeError)

_SHARD = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")


def shard_files(actor: Path) -> list[Path]:
    """The files of all ranks, in their order; empty if there are none.

    Raises:
        InputError: some ranks are missing, or files of several runs are mixed.
    """
    found: dict[tuple[int, int], Path] = {}
    for file in actor.iterdir():
        if match := _SHARD.fullmatch(file.name):
            found[int(match[1]), int(match[2])] = file
    sizes = sorted({world for world, _ in found})
    if not sizes:
        return []
    if len(sizes) > 1:
        raise InputError(f"holds the shards of runs of {sizes} ranks; keep one", file=str(actor))
    missing = [rank for rank in range(sizes[0]) if (sizes[0], rank) not in found]
    if missing:
        raise InputError(
            f"the shards of ranks {missing} of {sizes[0]} are missing; copy the files of every machine here",
            file=str(actor),
        )
    return [found[sizes[0], rank] for rank in range(sizes[0])]


def full_state_dict(files: list[Path]) -> dict[str, torch.Tensor]:
    """Whole tensors by name, in the type they were saved in.

    Args:
        files: one per rank, as ``shard_files`` gives them. They are mapped, not read: memory holds the
            result and little more.

    Raises:
        InputError: a file cannot be read, or is cut in a way that is not FSDP's.
    """
    ranks = [_load(file) for file in files]
    for file, rank in zip(files[1:], ranks[1:], strict=True):
        if rank.keys() != ranks[0].keys():
            raise InputError(f"holds other tensors than {files[0].name}; is it from another run?", file=str(file))
    return {name: _join(name, [rank[name] for rank in ranks], files[0]) for name in ranks[0]}


def _load(file: Path) -> dict[str, Any]:
    import torch
    import torch.distributed.tensor  # tells the restricted unpickler what a sharded tensor is made of

    try:
        # weights_only: a checkpoint is data, and must not be able to run code.
        with _without_mesh_warnings():
            state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except _BROKEN as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"is not a readable shard of a checkpoint ({reason})", file=str(file)) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InputError("holds something else than tensors by name", file=str(file))
    if any("lora_" in name for name in state):
        raise InputError(
            "holds LoRA adapters, which this command does not merge; use 'python -m verl.model_merger'",
            file=str(file),
        )
    return state


@contextmanager
def _without_mesh_warnings() -> Iterator[None]:
    """Process groups are not needed to read a shard, though torch warns of their absence for each file."""
    log = logging.getLogger("torch.distributed.device_mesh")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _join(name: str, parts: list[Any], file: Path) -> torch.Tensor:
    import torch
    from torch.distributed.tensor import DTensor, Replicate, Shard

    first = parts[0]
    if not isinstance(first, DTensor):
        # Not cut at all: a buffer, or everything in a run of one rank. All ranks hold the same.
        for rank, part in enumerate(parts[1:], start=1):
            if not torch.equal(part, first):
                raise InputError(f"tensor {name} is whole, but differs between ranks 0 and {rank}", file=str(file))
        return torch.as_tensor(first)
    cuts = [axis for axis, placement in enumerate(first.placements) if isinstance(placement, Shard)]
    copies = [placement for placement in first.placements if isinstance(placement, Replicate)]
    # A subclass of Shard (strided, for tensor parallelism on top) is cut in another order.
    odd = any(type(first.placements[axis]) is not Shard for axis in cuts)
    if odd or len(cuts) > 1 or len(cuts) + len(copies) != len(first.placements):
        raise InputError(
            f"tensor {name} is cut as {first.placements}; only FSDP, with or without replicas, is merged",
            file=str(file),
        )
    if not cuts:
        return first.to_local()
    # Along the axis that cuts; on the axes that replicate, the first copy will do.
    line = tuple(slice(None) if axis in cuts else 0 for axis in range(len(first.placements)))
    ranks = first.device_mesh.mesh[line].tolist()
    whole = torch.cat([parts[rank].to_local() for rank in ranks], dim=first.placements[cuts[0]].dim)
    if whole.shape != first.shape:
        raise InputError(
            f"the pieces of tensor {name} make {tuple(whole.shape)}, not {tuple(first.shape)}", file=str(file)
        )
    return whole
