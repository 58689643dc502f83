"""One rank of a run that shards a model with FSDP2 and saves it by verl's own checkpoint manager.

python save_as_verl.py MODEL CHECKPOINT RANK WORLD_SIZE [hf_model]
"""

from __future__ import annotations

import sys

import torch
import torch.distributed
from omegaconf import OmegaConf
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM, AutoTokenizer
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager


def main() -> None:
    model_path, checkpoint, rank, world, *contents = sys.argv[1:]
    store = f"file://{checkpoint}.rendezvous"
    torch.distributed.init_process_group("gloo", init_method=store, rank=int(rank), world_size=int(world))
    mesh = init_device_mesh("cpu", (int(world),), mesh_dim_names=("fsdp",))
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    manager = FSDPCheckpointManager(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        lr_scheduler=None,
        processing_class=AutoTokenizer.from_pretrained(model_path),
        checkpoint_config=OmegaConf.create(
            {"save_contents": contents or ["model", "optimizer", "extra"], "load_contents": ["model"]}
        ),
    )
    manager.save_checkpoint(local_path=checkpoint, global_step=1)
    torch.distributed.destroy_process_group()


main()
