"""The policy that the package brings along."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ftrl import storage
from ftrl.errors import FtrlError

_FOLDER = Path(__file__).parent / "policy"


def tiny_policy(path: str | os.PathLike[str]) -> None:
    """Lay a copy of the policy into a folder of its own.

    Args:
        path: the folder to make; it must not hold anything yet.

    Raises:
        InputError: there is something at ``path`` already.
        FtrlError: this installation lacks the policy's files.
    """
    if not (_FOLDER / "model.safetensors").exists():
        raise FtrlError("this installation of ftrl lacks the tiny policy's files; install it again")
    with storage.building(path) as folder:
        for file in sorted(_FOLDER.iterdir()):
            shutil.copyfile(file, folder / file.name)
