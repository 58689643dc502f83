"""Model folders: a new one appears whole or not at all, on this machine or on S3."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftrl import storage
from ftrl.errors import InputError


@contextmanager
def building(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A local folder to build in; its content appears under ``target`` when the block ends well.

    A local target comes by a rename; a remote one by an upload that puts ``config.json`` last, so that a
    folder cut off half-way is no model.

    Raises:
        InputError: there is something at ``target`` already.
    """
    fs, inner = storage.filesystem(target)
    if fs.exists(inner) and (fs.isfile(inner) or fs.ls(inner)):
        raise InputError(
            "there is something here already; give a new folder, or remove this one first",
            file=os.fspath(target),
        )
    if storage.is_local(target):
        final = Path(inner)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
        temporary.mkdir()
    else:
        temporary = Path(tempfile.mkdtemp(prefix="ftrl-model-"))
    try:
        yield temporary
        _readable_by_all(temporary)
        if storage.is_local(target):
            temporary.replace(final)
        else:
            files = sorted(path for path in temporary.rglob("*") if path.is_file())
            for file in sorted(files, key=lambda path: path.name == "config.json"):
                fs.put_file(str(file), storage.join(inner, file.relative_to(temporary).as_posix()))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _readable_by_all(folder: Path) -> None:
    """Give each file the mode of an ordinary new file: safetensors keeps its own from all but their owner."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return mask
