"""What the processes of a run need in their environment, by the device that they run on.

Kept apart from ``cpu_platform``, which imports torch and verl: whoever only starts a run needs neither.
"""

from __future__ import annotations

import os

from ftrl.ray_session import LogicalResources, logical_node
from ftrl.training.config import HardwareConfig

CPU_ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VERL_USE_EXTERNAL_MODULES": "ftrl.training.cpu_platform",
    # verl's engine registry knows its FSDP engine by this device name only.
    "VERL_ENGINE_DEVICE": "cuda",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # Without it the first generation compiles C++ for 20 s and needs a compiler.
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    # Every update takes and frees the same tensors: what is freed is kept (bytes), else a fifth of the time goes into
    # fetching it from the kernel again.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
"""For a run on the CPU; must be there before verl is imported. KV cache space is in GiB."""


VERL_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "true",
    "NCCL_DEBUG": "WARN",
    "VLLM_LOGGING_LEVEL": "WARN",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "true",
    "VLLM_DISABLE_COMPILE_CACHE": "1",
    "TRANSFER_QUEUE_ENABLE": "1",
}
"""What verl's own entry point sets when it starts Ray itself; here Ray is there already."""


def process_environment(hardware: HardwareConfig) -> dict[str, str]:
    """Environment variables of the trainer and everything that it starts."""
    if hardware.device == "gpu":
        return VERL_ENVIRONMENT
    # Ray allows a worker one thread; the trainer and its engine take turns, so each may have the whole machine.
    return {**VERL_ENVIRONMENT, **CPU_ENVIRONMENT, "OMP_NUM_THREADS": str(os.cpu_count() or 1)}


def logical_resources(hardware: HardwareConfig) -> LogicalResources | None:
    """What a run on the CPU claims; a run on GPUs claims what there really is."""
    return LogicalResources(cpus=16, gpus=1) if hardware.device == "cpu" else None


def trainer_resources(hardware: HardwareConfig) -> dict[str, float]:
    """Custom Ray resources that the trainer claims: on the CPU, the node with the logical ones."""
    return {logical_node(): 1} if hardware.device == "cpu" else {}
