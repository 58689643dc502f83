"""The machine itself: Python, system, processor, memory, disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from ftrl.doctor.check import Check, Status

GIB = 2**30
MEMORY_WANTED = 8 * GIB
"""The process tree of a training run on the CPU peaks at 6-8 GB."""
DISK_WANTED = 5 * GIB
"""Room for the runs and checkpoints of the quickstart, and Ray's logs."""
SHARED_MEMORY_NEEDED = 256 * 2**20
"""Weights travel from trainer to vLLM in 64 MB pieces through /dev/shm, beside Ray's object store."""
SHARED_MEMORY_WANTED = 2 * GIB


def check_machine() -> list[Check]:
    """Python, system, processor, cores, memory, disk and shared memory."""
    return [
        check_python(sys.version_info[:3]),
        check_system(platform.system()),
        check_processor(platform.machine(), _text("/proc/cpuinfo")),
        check_cores(_usable_cores()),
        check_memory(memory_limit(_text("/proc/meminfo"), _text("/sys/fs/cgroup/memory.max"))),
        check_disk(Path.cwd()),
        check_shared_memory(Path("/dev/shm")),
    ]


def check_python(version: tuple[int, ...]) -> Check:
    """Python must be one that ray, vLLM and verl all support."""
    found = ".".join(map(str, version))
    if (3, 10) <= version[:2] < (3, 13):
        return _check("python", "ok", found)
    return _check("python", "missing", found, "install Python 3.11 and run: make setup PYTHON=python3.11")


def check_system(system: str) -> Check:
    """vLLM's CPU build and tensordict's wheels exist for Linux only."""
    if system == "Linux":
        return _check("system", "ok", f"Linux {platform.release()}")
    return _check("system", "missing", system, "vLLM and verl need Linux: use a Linux machine or container")


def check_processor(architecture: str, cpuinfo: str) -> Check:
    """On x86, vLLM's CPU kernels need AVX2 and are fastest with AVX-512."""
    flags = set(cpuinfo.split())
    if architecture != "x86_64":
        return _check("processor", "ok", architecture)
    if "avx512f" in flags:
        return _check("processor", "ok", "x86_64 with AVX-512")
    if "avx2" in flags:
        return _check("processor", "ok", "x86_64 with AVX2")
    return _check("processor", "warning", "x86_64 without AVX2", "without AVX2, vLLM runs on a GPU only")


def check_cores(cores: int) -> Check:
    """Trainer, engine and Ray share the cores."""
    if cores >= 2:
        return _check("cores", "ok", str(cores))
    return _check("cores", "warning", str(cores), "runs, but slowly: two cores or more are meant")


def memory_limit(meminfo: str, cgroup: str) -> int:
    """Bytes of memory that processes here may use: the machine's, or the container's where that is less."""
    total = next((int(line.split()[1]) * 1024 for line in meminfo.splitlines() if "MemTotal" in line), 0)
    limit = cgroup.strip()
    return min(total, int(limit)) if limit.isdigit() else total


def check_memory(total: int) -> Check:
    """Memory for a training run on the CPU."""
    if total >= MEMORY_WANTED:
        return _check("memory", "ok", _size(total))
    advice = f"training on the CPU takes up to {_size(MEMORY_WANTED)}; with less it may be killed"
    return _check("memory", "warning", _size(total), advice)


def check_disk(folder: Path) -> Check:
    """Free disk in ``folder``, where runs are written."""
    free = shutil.disk_usage(folder).free
    found = f"{_size(free)} free in {folder}"
    if free >= DISK_WANTED:
        return _check("disk", "ok", found)
    return _check("disk", "warning", found, f"free up to {_size(DISK_WANTED)}, or write elsewhere with --out")


def check_shared_memory(folder: Path) -> Check:
    """The shared memory through which Ray moves objects and the trainer moves weights."""
    if not folder.is_dir():
        advice = f"mount it: mount -t tmpfs -o size=4g tmpfs {folder}"
        return _check("shared memory", "missing", f"there is no {folder}", advice)
    usage = shutil.disk_usage(folder)
    found = f"{_size(usage.free)} of {_size(usage.total)} free in {folder}"
    if usage.free >= SHARED_MEMORY_WANTED:
        return _check("shared memory", "ok", found)
    advice = f"start the container with --shm-size=4g, or remove what is left over in {folder}"
    status: Status = "missing" if usage.free < SHARED_MEMORY_NEEDED else "warning"
    return _check("shared memory", status, found, advice)


def _check(name: str, status: Status, found: str, advice: str = "") -> Check:
    return Check(area="machine", name=name, status=status, found=found, advice=advice)


def _usable_cores() -> int:
    """The cores that this process may run on; only Linux can tell them from those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GB" if count >= GIB else f"{count / 2**20:.0f} MB"


def _text(path: str) -> str:
    """The file's text; nothing where the system has no such file."""
    file = Path(path)
    return file.read_text() if file.is_file() else ""
