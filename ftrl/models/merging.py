"""A checkpoint of training → a model folder that vLLM loads."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.models.checks import ModelSummary, summarize_model_folder
from ftrl.models.requirements import require
from ftrl.models.shards import full_state_dict, shard_files

DTYPES = ("float32", "bfloat16", "float16")

_LATEST = "latest_checkpointed_iteration.txt"


def merge_checkpoint(
    checkpoint: str | os.PathLike[str], out: str | os.PathLike[str], dtype: str | None = None
) -> ModelSummary:
    """Merge the shards of a checkpoint that verl's FSDP engine saved, with its tokenizer and chat template.

    Args:
        checkpoint: the folder of an actor (``…/global_step_N/actor``), the step's folder above it, or the
            folder of a run, of which the latest step is taken.
        out: the folder to make; it must not hold anything yet.
        dtype: one of ``DTYPES``; if left out, the weights stay in the type they were saved in.

    Raises:
        InputError: this is no such checkpoint, or something of it is missing or broken.
    """
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"{dtype} is not one of {', '.join(DTYPES)}", field="dtype")
    actor_path = find_actor(checkpoint)
    require("torch", "transformers", "safetensors")
    with storage.building(out) as folder, _on_this_machine(actor_path) as actor:
        described = actor / "huggingface"
        if not (described / "config.json").is_file():
            raise InputError(
                "has no huggingface/config.json, which verl saves beside the shards; is it cut off?",
                file=actor_path,
            )
        model = _model(actor, described, dtype)
        model.save_pretrained(folder)
        _copy_the_rest(described, folder)
        return summarize_model_folder(folder)


def find_actor(checkpoint: str | os.PathLike[str]) -> str:
    """The folder with the policy's shards, given it, its step or its run.

    Raises:
        InputError: there is none.
    """
    path = os.fspath(checkpoint).rstrip("/")
    if not storage.exists(path):
        raise InputError("there is no such folder", file=path)
    if storage.exists(storage.join(path, _LATEST)):
        text = storage.read_bytes(storage.join(path, _LATEST)).decode(errors="replace").strip()
        if not text.isdecimal():
            raise InputError(
                f"holds {text[:40]!r} where the number of a step belongs", file=storage.join(path, _LATEST)
            )
        path = storage.join(path, f"global_step_{text}")
        if not storage.exists(path):
            raise InputError(f"is named by {_LATEST}, but missing; give another step's folder", file=path)
    if storage.exists(storage.join(path, "actor")):
        path = storage.join(path, "actor")
    fs, inner = storage.filesystem(path)
    names = [entry.rsplit("/", 1)[-1] for entry in fs.ls(inner, detail=False)] if fs.isdir(inner) else []
    if not any(re.fullmatch(r"model_world_size_\d+_rank_\d+\.pt", name) for name in names) and (
        "huggingface" not in names
    ):
        raise InputError(
            "is no checkpoint of training; give a folder with model_world_size_…_rank_….pt in it, the "
            f"global_step_… folder above, or the run's folder with {_LATEST}",
            file=os.fspath(checkpoint),
        )
    return path


@contextmanager
def _on_this_machine(actor: str) -> Iterator[Path]:
    """The checkpoint as a local folder: itself, or a copy of what the merge reads (no optimizer state)."""
    fs, inner = storage.filesystem(actor)
    if storage.is_local(actor):
        yield Path(inner)
        return
    with tempfile.TemporaryDirectory(prefix="ftrl-checkpoint-") as temporary:
        for file in fs.find(inner):
            name = file.removeprefix(inner.rstrip("/") + "/")
            if name.startswith(("model_world_size_", "huggingface/")):
                local = Path(temporary) / name
                local.parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(file, str(local))
        yield Path(temporary)


def _model(actor: Path, described: Path, dtype: str | None) -> Any:
    """The policy as a transformers model, its weights whole."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    files = shard_files(actor)
    if not files:  # saved whole at once: actor.checkpoint.save_contents=[hf_model]
        if not any(described.glob("*.safetensors")):
            raise InputError("holds no weights, neither shards nor huggingface/*.safetensors", file=str(actor))
        return AutoModelForCausalLM.from_pretrained(described, dtype=dtype or _dtype_of_files(described))
    state = full_state_dict(files)
    if dtype is not None:
        state = {
            name: tensor.to(getattr(torch, dtype)) if tensor.is_floating_point() else tensor
            for name, tensor in state.items()
        }
    config = AutoConfig.from_pretrained(described)
    with torch.device("meta"):  # no memory for weights that are replaced at once
        model = AutoModelForCausalLM.from_config(config)
    _check_tied(model, state, str(actor))
    try:
        model.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise InputError(
            f"the shards do not fit huggingface/config.json: {' '.join(str(error).split())[:400]}",
            file=str(actor),
        ) from error
    model.tie_weights()
    return model


def _dtype_of_files(folder: Path) -> str:
    """The type of the weights themselves: verl writes ``bfloat16`` into the configuration whatever they are."""
    names = summarize_model_folder(folder).dtype.split("+")
    for name, dtype in (("F32", "float32"), ("BF16", "bfloat16"), ("F16", "float16")):
        if name in names:  # the widest one, so that no bit is lost
            return dtype
    raise InputError(f"holds weights of type {', '.join(names)}; say which to write with --dtype", file=str(folder))


def _check_tied(model: Any, state: dict[str, Any], actor: str) -> None:
    """Tensors that the model shares are saved once a name; make sure that all copies are one."""
    import torch

    names: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if first == name:
            continue
        kept = state.get(first, state.get(name))
        if kept is None:
            continue  # load_state_dict tells which is missing
        if name in state and not torch.equal(state[name], kept):
            raise InputError(
                f"{first} and {name} differ, though the configuration ties them: the run trained them apart",
                file=actor,
            )
        state[first] = state[name] = kept


def _copy_the_rest(described: Path, folder: Path) -> None:
    """Tokenizer, chat template and generation settings, byte for byte."""
    for file in described.iterdir():
        is_weights = ".safetensors" in file.suffixes or file.suffix == ".bin"
        if file.is_file() and file.name != "config.json" and not is_weights:
            shutil.copyfile(file, folder / file.name)
