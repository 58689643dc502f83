"""What surrounds a run: GPUs, a Ray cluster, the sandbox's isolation layers, environment variables."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Mapping

from ftrl.doctor.check import Check, Status
from ftrl.errors import FtrlError
from ftrl.ray_session import answers, running_address

VARIABLES = (
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "OMP_NUM_THREADS",
    "RAY_ADDRESS",
    "RAY_TMPDIR",
    "TMPDIR",
    "TORCHDYNAMO_DISABLE",
    "VERL_ENGINE_DEVICE",
    "VERL_PLATFORM",
    "VERL_USE_EXTERNAL_MODULES",
    "VLLM_CPU_KVCACHE_SPACE",
    "VLLM_CPU_OMP_THREADS_BIND",
)
"""Variables that change how a run behaves; shown where they are set."""

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN")
"""Variables of which only the presence is shown."""


def check_gpus() -> list[Check]:
    """The NVIDIA GPUs that the driver shows, and whether the installed torch can use them."""
    if shutil.which("nvidia-smi") is None:
        return [_gpu("gpu", "ok", "none; models run on the CPU")]
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return [_gpu("gpu", "warning", "nvidia-smi does not answer", "the driver hangs: restart the machine")]
    try:
        torch_version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch_version = ""
    return gpus(answer.stdout if answer.returncode == 0 else "", torch_version)


def gpus(listing: str, torch_version: str) -> list[Check]:
    """One check for each GPU.

    Args:
        listing: what nvidia-smi prints for name, memory and driver; empty if it failed.
        torch_version: of the installed torch, empty if there is none.
    """
    lines = [line.strip() for line in listing.splitlines() if line.strip()]
    if not lines:
        advice = "run nvidia-smi and mend the driver; until then models run on the CPU"
        return [_gpu("gpu", "warning", "nvidia-smi is here, but shows no GPU", advice)]
    if torch_version.endswith("+cpu"):
        advice = "the CPU stack is installed and leaves it idle; run: make setup STACK=gpu"
        return [_gpu(f"gpu {index}", "warning", line, advice) for index, line in enumerate(lines)]
    return [_gpu(f"gpu {index}", "ok", line) for index, line in enumerate(lines)]


def _gpu(name: str, status: Status, found: str, advice: str = "") -> Check:
    return Check(area="gpu", name=name, status=status, found=found, advice=advice)


def check_ray() -> list[Check]:
    """Whether a Ray cluster is within reach; nothing is started."""
    return [ray_cluster(os.environ)]


def ray_cluster(environment: Mapping[str, str]) -> Check:
    """The cluster that our commands would use.

    Args:
        environment: the variables to go by.
    """
    address = running_address(environment)
    if address is None or address == "local":
        return Check(area="ray", name="cluster", status="ok", found="none running; commands start their own")
    if answers(address):
        return Check(area="ray", name="cluster", status="ok", found=f"running at {address}")
    return Check(
        area="ray",
        name="cluster",
        status="warning",
        found=f"{address} (from RAY_ADDRESS) does not answer",
        advice="start it, or forget it: unset RAY_ADDRESS",
    )


def check_isolation() -> list[Check]:
    """The layers that keep tool source away from this machine, as a sandbox worker of now reports them."""
    from ftrl.sandbox import Isolation, isolation_report, level_of

    try:
        layers = isolation_report()
    except FtrlError as error:
        advice = "no tool can run until its worker process starts"
        return [Check(area="isolation", name="sandbox", status="missing", found=str(error), advice=advice)]
    level = level_of(layers)
    full = level is Isolation.FULL
    summary = Check(
        area="isolation",
        name="level",
        status="ok" if full else "warning",
        found=f"tools are isolated to the level '{level.value}'" if level else "not even limits and kill hold",
        advice="" if full else "the layers below that are not here say why; 'full' is the highest level",
    )
    return [summary] + [
        Check(area="isolation", name=layer.name, status="ok", found="active")
        if layer.active
        else Check(
            area="isolation",
            name=layer.name,
            status="warning",
            found=f"not here: {layer.why_not}",
            advice="tools run without this layer; the others still hold",
        )
        for layer in layers
    ]


def check_variables() -> list[Check]:
    """The environment variables that change a run; secrets are named, never shown."""
    return variables(os.environ)


def variables(environment: Mapping[str, str]) -> list[Check]:
    """One check for each variable of ``VARIABLES`` and ``SECRETS`` that is set in ``environment``."""
    shown = {name: environment[name] for name in VARIABLES if name in environment}
    shown.update({name: "set" for name in SECRETS if name in environment})
    return [Check(area="environment", name=name, status="ok", found=found) for name, found in shown.items()]
