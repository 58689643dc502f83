"""vLLM's CPU engine under a trainer that keeps sending it new weights.

After loading, vLLM's CPU build packs each linear weight for its kernels and puts an empty parameter in its place, so
weights can't be loaded into a running engine. Named as ``worker_extension_cls``, this module is imported by vLLM's
worker before the model is built; linear layers then keep their weight and use torch's kernel on it.
"""

from __future__ import annotations

import torch
import vllm.model_executor.layers.utils as layers
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension


def _keep_weight(layer: torch.nn.Module, remove_weight: bool) -> None:
    layer.cpu_linear = torch.nn.functional.linear


layers.dispatch_cpu_unquantized_gemm = _keep_weight


class CpuColocateWorkerExtension(vLLMColocateWorkerExtension):  # type: ignore[misc]
    """verl's worker extension, on an engine whose weights can be replaced."""
