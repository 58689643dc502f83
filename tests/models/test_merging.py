"""A checkpoint as verl's FSDP engine saves it comes out as the model that was trained, bit by bit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.models import check_model_folder, merge_checkpoint, weights_hash

PROMPT = [[1, 45, 300, 7, 512, 2]]


@contextmanager
def rank_of(rank: int, world: int) -> Iterator[None]:
    """Be one rank of a run, without the other ranks: enough to describe how a tensor is cut."""
    import torch.distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=world)
    try:
        yield
    finally:
        dist.destroy_process_group()


def trained_weights(tiny: Path, dtype: Any) -> dict[str, Any]:
    """What training might have made of the tiny model: every weight is another one."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.linspace(-0.1, 0.1, parameter.numel()).reshape(parameter.shape).to(dtype))
    return dict(model.state_dict())  # with lm_head.weight beside model.embed_tokens.weight, as verl saves it


def save_checkpoint(tiny: Path, actor: Path, state: dict[str, Any], ranks: int, replicas: int = 1) -> None:
    """The files of every rank, cut along the first dimension; with replicas the mesh has two axes."""
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard

    world = ranks * replicas
    actor.mkdir(parents=True)
    for rank in range(world):
        with rank_of(rank, world):
            if replicas == 1:
                mesh = init_device_mesh("cpu", (ranks,), mesh_dim_names=("fsdp",))
                placements: list[Any] = [Shard(0)]
            else:
                mesh = init_device_mesh("cpu", (replicas, ranks), mesh_dim_names=("ddp", "fsdp"))
                placements = [Replicate(), Shard(0)]
            shard: dict[str, Any] = {}
            for name, tensor in state.items():
                pieces = torch.chunk(tensor, ranks, dim=0)
                mine = rank % ranks
                piece = pieces[mine].clone() if mine < len(pieces) else tensor[:0].clone()
                shard[name] = DTensor.from_local(
                    piece, mesh, placements, shape=tensor.shape, stride=tensor.stride(), run_check=False
                )
            torch.save(shard, actor / f"model_world_size_{world}_rank_{rank}.pt")
    describe(tiny, actor)


def describe(tiny: Path, actor: Path) -> None:
    """What verl's rank 0 saves beside the shards: configuration and tokenizer, no weights."""
    shutil.copytree(tiny, actor / "huggingface", ignore=shutil.ignore_patterns("*.safetensors"))


def logits(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(torch.tensor(PROMPT)).logits


def saved(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    import torch

    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and torch.equal(first[name], second[name]) for name in first
    )


@pytest.mark.parametrize(("ranks", "replicas"), [(1, 1), (2, 1), (3, 1), (2, 2)])
def test_the_merged_weights_are_those_of_the_shards_bit_by_bit(
    tiny: Path, tmp_path: Path, ranks: int, replicas: int
) -> None:
    """3 ranks cut most tensors into unequal pieces; replicas are how verl spreads FSDP over machines."""
    import torch

    state = trained_weights(tiny, torch.float32)
    save_checkpoint(tiny, tmp_path / "actor", state, ranks, replicas)
    made = merge_checkpoint(tmp_path / "actor", tmp_path / "merged")
    assert made.dtype == "F32"
    tied = state.pop("lm_head.weight")
    assert torch.equal(tied, state["model.embed_tokens.weight"])
    assert equal(saved(tmp_path / "merged"), state)


def test_transformers_loads_the_merged_model_with_the_logits_of_the_trained_one(tiny: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    state = trained_weights(tiny, torch.float32)
    save_checkpoint(tiny, tmp_path / "actor", state, 2)
    merge_checkpoint(tmp_path / "actor", tmp_path / "merged")
    trained = AutoModelForCausalLM.from_pretrained(tiny)
    trained.load_state_dict(state)
    with torch.no_grad():
        expected = trained(torch.tensor(PROMPT)).logits
    assert torch.equal(logits(tmp_path / "merged"), expected)
    assert not torch.equal(logits(tiny), expected)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny).chat_template
    for name in ("tokenizer.json", "generation_config.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (tiny / name).read_bytes()


def test_weights_saved_in_bf16_stay_bf16_and_another_type_can_be_asked_for(tiny: Path, tmp_path: Path) -> None:
    import torch

    state = trained_weights(tiny, torch.bfloat16)
    save_checkpoint(tiny, tmp_path / "actor", state, 2)
    for asked, got, named in ((None, "BF16", "bfloat16"), ("float32", "F32", "float32")):
        made = merge_checkpoint(tmp_path / "actor", tmp_path / got, dtype=asked)
        assert made.dtype == got
        assert json.loads((tmp_path / got / "config.json").read_text())["dtype"] == named
    with pytest.raises(InputError, match="float8 is not one of float32, bfloat16, float16"):
        merge_checkpoint(tmp_path / "actor", tmp_path / "other", dtype="float8")


def test_a_step_or_a_run_may_be_given_instead_of_the_actor(tiny: Path, tmp_path: Path) -> None:
    import torch

    run = tmp_path / "run"
    save_checkpoint(tiny, run / "global_step_3" / "actor", trained_weights(tiny, torch.float32), 1)
    (run / "global_step_2").mkdir()
    (run / "latest_checkpointed_iteration.txt").write_text("3")
    from_step = merge_checkpoint(run / "global_step_3", tmp_path / "a")
    from_run = merge_checkpoint(run, tmp_path / "b")
    assert from_step == from_run
    (run / "latest_checkpointed_iteration.txt").write_text("4")
    with pytest.raises(InputError, match=r"global_step_4: is named by latest_checkpointed_iteration\.txt"):
        merge_checkpoint(run, tmp_path / "c")


def test_a_model_that_verl_saved_whole_keeps_its_weights_whatever_its_configuration_says(
    tiny: Path, tmp_path: Path
) -> None:
    described = tmp_path / "actor" / "huggingface"
    shutil.copytree(tiny, described)
    config = json.loads((described / "config.json").read_text())
    (described / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))  # as verl does
    made = merge_checkpoint(tmp_path / "actor", tmp_path / "merged")
    assert made.dtype == "F32"
    assert weights_hash(tmp_path / "merged") == weights_hash(tiny)
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == "float32"


def test_checkpoint_and_model_may_lie_on_remote_storage(tiny: Path, tmp_path: Path) -> None:
    import fsspec
    import torch

    save_checkpoint(tiny, tmp_path / "step" / "actor", trained_weights(tiny, torch.float32), 1)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "step"), "/checkpoints/global_step_1", recursive=True)
    there = merge_checkpoint("memory://checkpoints/global_step_1", "memory://models/trained")
    memory.get("/models/trained", str(tmp_path / "fetched"), recursive=True)
    check_model_folder(tmp_path / "fetched")
    assert weights_hash(tmp_path / "fetched") == there.weights_hash


def test_what_is_no_whole_checkpoint_is_refused_and_nothing_is_made(tiny: Path, tmp_path: Path) -> None:
    import torch

    actor = tmp_path / "actor"
    state = trained_weights(tiny, torch.float32)
    save_checkpoint(tiny, actor, state, 2)
    second = actor / "model_world_size_2_rank_1.pt"
    whole = second.read_bytes()

    def refused(sentence: str, given: Path = actor) -> None:
        with pytest.raises(InputError, match=sentence):
            merge_checkpoint(given, tmp_path / "merged")
        assert not list(tmp_path.glob("*merged*"))

    refused("there is no such folder", tmp_path / "missing")
    refused("is no checkpoint of training", tiny)
    refused("is no checkpoint of training", second)
    second.write_bytes(whole[:5000])
    refused(r"rank_1\.pt: is not a readable shard")
    second.unlink()
    refused(r"the shards of ranks \[1\] of 2 are missing")
    torch.save({"other.weight": torch.zeros(2)}, second)
    refused("holds other tensors than model_world_size_2_rank_0.pt")
    second.write_bytes(whole)
    (actor / "model_world_size_4_rank_0.pt").write_bytes(whole)
    refused(r"runs of \[2, 4\] ranks")
    (actor / "model_world_size_4_rank_0.pt").unlink()
    (actor / "huggingface" / "tokenizer.json").unlink()
    refused("has no tokenizer")
    (actor / "huggingface" / "config.json").unlink()
    refused(r"has no huggingface/config\.json")


def test_a_shard_that_would_run_code_is_refused_before_it_runs(tiny: Path, tmp_path: Path) -> None:
    import torch

    mark = tmp_path / "it-ran"
    (tmp_path / "actor").mkdir()
    describe(tiny, tmp_path / "actor")
    torch.save({"weight": RunsCode(mark)}, tmp_path / "actor" / "model_world_size_1_rank_0.pt")
    with pytest.raises(InputError, match="is not a readable shard"):
        merge_checkpoint(tmp_path / "actor", tmp_path / "merged")
    assert not mark.exists()


class RunsCode:
    """Unpickled without care, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_weights_that_do_not_fit_the_configuration_are_refused(tiny: Path, tmp_path: Path) -> None:
    import torch

    state = trained_weights(tiny, torch.float32)
    apart = {**state, "lm_head.weight": state["lm_head.weight"] + 1}
    save_checkpoint(tiny, tmp_path / "apart" / "actor", apart, 1)
    with pytest.raises(InputError, match=r"lm_head\.weight differ, though the configuration ties them"):
        merge_checkpoint(tmp_path / "apart", tmp_path / "merged")
    del state["model.norm.weight"]
    save_checkpoint(tiny, tmp_path / "less" / "actor", state, 1)
    with pytest.raises(InputError, match=r"do not fit huggingface/config\.json.*model\.norm\.weight"):
        merge_checkpoint(tmp_path / "less", tmp_path / "merged")
    lora = {"base_model.model.model.norm.lora_A.weight": torch.zeros(2)}
    save_checkpoint(tiny, tmp_path / "lora" / "actor", lora, 1)
    with pytest.raises(InputError, match="LoRA"):
        merge_checkpoint(tmp_path / "lora", tmp_path / "merged")


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("contents", [(), ("hf_model",)])
def test_what_verls_own_checkpoint_manager_saves_on_two_ranks_is_merged(
    tiny: Path, tmp_path: Path, contents: tuple[str, ...]
) -> None:
    actor = tmp_path / "run" / "global_step_1" / "actor"
    actor.parent.mkdir(parents=True)
    script = Path(__file__).with_name("save_as_verl.py")
    ranks = [
        subprocess.Popen([sys.executable, str(script), str(tiny), str(actor), str(rank), "2", *contents])
        for rank in range(2)
    ]
    assert [rank.wait(timeout=400) for rank in ranks] == [0, 0]
    merge_checkpoint(actor.parent, tmp_path / "merged")
    assert weights_hash(tmp_path / "merged") == weights_hash(tiny)
